import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { meanInterval, studentT } from '../../lib/report/statistics.js';

describe('studentT', () => {
  // Two-sided 95 % and 99 % quantiles as printed in any statistical table.
  it.each([
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [5, 2.5706],
    [9, 2.2622],
    [10, 2.2281],
    [29, 2.0452],
    [30, 2.0423],
    [100, 1.984],
    [1000, 1.9623],
  ])('has the tabulated value for %i degrees of freedom', (degrees, expected) => {
    expect(studentT(degrees)).toBeCloseTo(expected, 4);
  });

  it('takes another confidence', () => {
    expect(studentT(2, 0.99)).toBeCloseTo(9.9248, 4);
    expect(studentT(7, 0.9)).toBeCloseTo(1.8946, 4);
  });

  it.each([0, 1.5, Number.NaN])('refuses %s degrees of freedom', (degrees) => {
    expect(() => studentT(degrees)).toThrow(ArgumentError);
  });

  it.each([0, 1, 95])('refuses a confidence of %s', (confidence) => {
    expect(() => studentT(3, confidence)).toThrow(/between 0 and 1 for confidence but received/);
  });
});

describe('meanInterval', () => {
  it('agrees with a computation by hand', () => {
    // mean 0.9, std 0.01, t(2) = 4.3027: 4.3027 * 0.01 / sqrt(3)
    const { count, mean, std, halfWidth } = meanInterval([0.89, 0.9, 0.91]);
    expect(count).toBe(3);
    expect(mean).toBeCloseTo(0.9, 12);
    expect(std).toBeCloseTo(0.01, 12);
    expect(halfWidth).toBeCloseTo(0.024841, 5);
  });

  it('knows no interval of a single value', () => {
    expect(meanInterval([0.5])).toEqual({ count: 1, mean: 0.5, std: null, halfWidth: null });
  });

  it('refuses an empty list', () => {
    expect(() => meanInterval([])).toThrow(ArgumentError);
  });
});
