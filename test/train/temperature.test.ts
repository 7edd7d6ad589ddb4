import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { getTemperature, setTemperature, temperatureSchedule } from '../../lib/train/index.js';
import { tinyNet } from './support.js';

describe('temperatureSchedule', () => {
  it('is the sequence of the article by default', () => {
    const schedule = temperatureSchedule();
    expect(Array.from({ length: 13 }, (_, epoch) => schedule(epoch))).toEqual([
      30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 1, 1, 1,
    ]);
  });

  it('decreases in whole steps, as in the article, and stays at 1', () => {
    expect([0, 1, 2, 3, 4].map(temperatureSchedule({ start: 10, epochs: 3 }))).toEqual([10, 7, 4, 1, 1]);
    expect([0, 50].map(temperatureSchedule({ start: 1, epochs: 5 }))).toEqual([1, 1]);
  });

  it('falls where there are more epochs than degrees', () => {
    expect([0, 1, 2, 3, 4].map(temperatureSchedule({ start: 2, epochs: 4 }))).toEqual([2, 1.5, 1, 1, 1]);
  });

  it.each([{ start: 0.5 }, { start: Number.NaN }, { epochs: 0 }, { epochs: 2.5 }])(
    'refuses %o',
    (options) => {
      expect(() => temperatureSchedule(options)).toThrow(ArgumentError);
    },
  );
});

describe('setTemperature', () => {
  it('sets every dynamic layer and returns their number', () => {
    const net = tinyNet();
    expect(setTemperature(net, 12)).toBe(1);
    expect(getTemperature(net)).toBe(12);
  });
});
