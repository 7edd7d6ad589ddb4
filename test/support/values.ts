import { expect } from 'vitest';
import type { Tensor } from '../../lib/index.js';

type Nested = number | bigint | boolean | Nested[];

/** Compares a tensor's shape and values with nested arrays; NaN equals NaN. Numbers may differ by `tolerance`. */
export function expectValues(received: Tensor, wanted: unknown, tolerance = 1e-5): void {
  compare(received.arraySync() as Nested, wanted as Nested, tolerance, []);
}

function compare(received: Nested, wanted: Nested, tolerance: number, at: number[]): void {
  const place = `at [${at.join(', ')}]`;
  if (Array.isArray(wanted)) {
    expect(Array.isArray(received), `an array ${place}`).toBe(true);
    expect((received as Nested[]).length, `length ${place}`).toBe(wanted.length);
    wanted.forEach((item, i) => {
      compare((received as Nested[])[i]!, item, tolerance, [...at, i]);
    });
  } else if (typeof wanted === 'number' && Number.isFinite(wanted)) {
    const error = Math.abs((received as number) - wanted);
    expect(error <= tolerance * Math.max(1, Math.abs(wanted)), `${received} for ${wanted} ${place}`).toBe(
      true,
    );
  } else {
    expect(received, place).toBe(wanted);
  }
}

/** The largest difference, relative to the largest expected magnitude. Shapes must agree. */
export function deviation(received: Tensor, expected: Tensor): number {
  expect(received.shape).toEqual(expected.shape);
  if (expected.numel === 0) return 0;
  const exact = expected.to({ dtype: 'float64' });
  const difference = received.to({ dtype: 'float64' }).sub(exact).abs().amax();
  return Number(difference.item()) / Math.max(Number(exact.abs().amax().item()), 1e-3);
}
