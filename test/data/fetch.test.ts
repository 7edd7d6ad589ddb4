/** Reading samples with limited concurrency. */
import { expect, it } from 'vitest';
import { Fetcher } from '../../lib/data/fetch.js';

it('reads in order, so many at a time over all requests', async () => {
  let [running, most] = [0, 0];
  const begun: number[] = [];
  const fetcher = new Fetcher(async (item: number) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return 10 * item;
  }, 3);
  const both = await Promise.all([fetcher.get([0, 1, 2, 3, 4]), fetcher.get([5, 6])]);
  expect(both).toEqual([
    [0, 10, 20, 30, 40],
    [50, 60],
  ]);
  expect([begun, most]).toEqual([[0, 1, 2, 3, 4, 5, 6], 3]);
});

it('reads a long list in linear time', async () => {
  const seconds = async (length: number) => {
    const items = Array.from({ length }, (_, i) => i);
    const { user } = process.cpuUsage();
    await new Fetcher((item: number) => item, 8).get(items);
    return process.cpuUsage({ user, system: 0 }).user / 1e6;
  };
  await seconds(5_000);
  const short = await seconds(10_000);
  // 15 times as many; with a list whose first element is removed each time, more than a thousand times as long.
  expect(await seconds(150_000)).toBeLessThan(150 * Math.max(short, 0.005));
});
