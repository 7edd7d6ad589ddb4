import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';

test('the sequence depends on all seeds and nothing else', () => {
  const draw = (...seeds: number[]) =>
    Array.from(
      { length: 4 },
      (
        (r) => () =>
          r.uint32()
      )(new Random(...seeds)),
    );
  expect(draw(42, 0)).toEqual(draw(42, 0));
  const sequences = [draw(42, 0), draw(42, 1), draw(43, 0), draw(0, 42), draw(42 + 2 ** 32, 0)];
  expect(new Set(sequences.map(String)).size).toBe(sequences.length);
  for (const value of draw(1)) expect(value).toBeGreaterThanOrEqual(0);
});

test('below is uniform', () => {
  const random = new Random(7);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
  // 5 standard deviations of a binomial count
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt(9000));
});

test('shuffle is a permutation, every order of which is as likely', () => {
  const orders = new Map<string, number>();
  const random = new Random(1);
  for (let i = 0; i < 24_000; i++) {
    const order = random.shuffle([0, 1, 2, 3]).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  expect(orders.size).toBe(24);
  for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
});
