import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { nn, ones, type Tensor } from '../../lib/index.js';
import {
  getTemperature,
  setTemperature,
  type TemperatureScheduleOptions,
  temperatureSchedule,
} from '../../lib/train/index.js';
import { tinyNet } from './support.js';

/** The temperatures of the first five epochs. */
function sequence(options: TemperatureScheduleOptions): number[] {
  const schedule = temperatureSchedule(options);
  return [0, 1, 2, 3, 4].map((epoch) => schedule(epoch));
}

describe('temperatureSchedule', () => {
  it('is the sequence of the article by default', () => {
    const schedule = temperatureSchedule();
    expect(Array.from({ length: 13 }, (_, epoch) => schedule(epoch))).toEqual([
      30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 1, 1, 1,
    ]);
  });

  it('decreases in whole steps, as in the article, and stays at 1', () => {
    expect(sequence({ start: 10, epochs: 3 })).toEqual([10, 7, 4, 1, 1]);
    expect(sequence({ start: 1, epochs: 5 })).toEqual([1, 1, 1, 1, 1]);
  });

  it('falls where there are more epochs than degrees', () => {
    expect(sequence({ start: 2, epochs: 4 })).toEqual([2, 1.5, 1, 1, 1]);
  });

  it('has schedules of single layers, and of those below a key', () => {
    const schedule = temperatureSchedule({
      start: 12,
      epochs: 4,
      layers: { layer4: { start: 8 }, 'layer4.1': { epochs: 2 }, 'layer4.1.conv': { start: 5, epochs: 1 } },
    });
    const at = (layer?: string) => [0, 1, 4].map((epoch) => schedule(epoch, layer));
    expect(at()).toEqual([12, 9, 1]);
    expect(at('layer3')).toEqual([12, 9, 1]);
    expect(at('layer40')).toEqual([12, 9, 1]);
    expect(at('layer4')).toEqual([8, 6, 1]);
    expect(at('layer4.0.conv')).toEqual([8, 6, 1]);
    expect(at('layer4.1')).toEqual([12, 6, 1]);
    expect(at('layer4.1.conv')).toEqual([5, 1, 1]);
  });

  it('names the layer whose schedule is wrong', () => {
    const make = (own: unknown) => () => temperatureSchedule({ layers: { conv1: own as object } });
    expect(make({ start: 0 })).toThrow(
      "Expected a number of at least 1 for layers['conv1'].start but received 0",
    );
    expect(make({ epochs: 1.5 })).toThrow("for layers['conv1'].epochs but received 1.5");
    expect(make({ begin: 3 })).toThrow("layers['conv1']");
    expect(make(3)).toThrow("Expected an object with start or epochs for layers['conv1'] but received 3");
    expect(() => temperatureSchedule({ layers: [] as never })).toThrow('for layers but received');
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

  it('sets each layer by its key', () => {
    const net = new nn.Sequential(new nn.DynamicConv2d(1, 1, 1), new nn.DynamicConv2d(1, 1, 1));
    const schedule = temperatureSchedule({ layers: { 1: { start: 5, epochs: 5 } } });
    expect(setTemperature(net, (layer) => schedule(1, layer))).toBe(2);
    expect([net.at(0), net.at(1)].map((layer) => (layer as unknown as nn.DynamicConv2d).temperature)).toEqual(
      [27, 4],
    );
  });

  it('leaves tensors of other modules alone that are named temperature', () => {
    class Scaled extends nn.Module {
      readonly temperature = new nn.Parameter(ones([]));
      forward(x: Tensor): Tensor {
        return x.mul(this.temperature);
      }
    }
    const module = new Scaled();
    expect(setTemperature(module, 5)).toBe(0);
    expect(getTemperature(module)).toBe(null);
    expect(module.temperature.item()).toBe(1);
  });
});
