/**
 * The JavaScript of one request to a pool.
 * @module
 */
import { nn, randn, serve, zeros } from '../../../dist/index.js';
import { median } from '../turns.js';
import { closedLoop } from './load.js';

const SIZE = 4;

/**
 * Microseconds of the event loop for each request, the client included, where the program computes nothing and no other thread needs
 * the processor.
 * @param {{ clients: number, maxBatch: number, seconds: number, turns: number }} options
 */
export async function measureRequestCost({ clients, maxBatch, seconds, turns }) {
  const program = nn.compile((x) => x.relu(), zeros([1, SIZE]));
  const pool = await serve.createPool({ program, batching: { maxBatch, maxQueue: 4 * clients } });
  const input = randn([1, SIZE]);
  const request = async () => (await pool.run(input)).dispose();
  /** @type {number[]} */
  const costs = [];
  // The first turn compiles the JavaScript.
  for (let turn = 0; turn <= turns; turn++) {
    const { answered } = pool.metrics();
    const before = performance.eventLoopUtilization();
    await closedLoop({ clients, seconds: seconds / turns }, request);
    const { active } = performance.eventLoopUtilization(before);
    if (turn > 0) costs.push((active * 1000) / (pool.metrics().answered - answered));
  }
  await pool.close();
  return median(costs);
}
