import { empty, memory, ones } from '../../dist/index.js';
import { machine, printRows } from './turns.js';

const MB = 2 ** 20;
const peak = () => process.resourceUsage().maxRSS / 1024;

/**
 * Resident memory of loops that never dispose, in which only V8 and the add-on free memory.
 * @param {{ tensors: number, json?: boolean }} options
 */
export async function measureMemory({ tensors, json }) {
  /** @type {Record<string, { peak_rss_mb: number, live_mb: number }>} */
  const results = {};
  const note = (/** @type {string} */ name) => {
    results[name] = { peak_rss_mb: Math.round(peak()), live_mb: Math.round(memory().numBytes / MB) };
  };
  note('start');
  for (let i = 0; i < tensors; i++) empty([MB]).fill_(1);
  note(`${tensors} tensors of 4 MB, synchronous loop`);
  for (let i = 0; i < tensors; i++) {
    empty([MB]).fill_(1);
    if (i % 16 === 0) await undefined;
  }
  note(`${tensors} tensors of 4 MB, with awaits`);
  const one = ones([1]);
  for (let i = 0; i < tensors * 10; i++) one.add(1);
  note(`${tensors * 10} small additions`);
  if (json) console.log(JSON.stringify({ what: 'memory', tensors, machine: machine(), results }));
  else {
    const rows = Object.entries(results).map(([name, r]) => ({
      loop: name,
      'peak RSS MB': String(r.peak_rss_mb),
      'live MB': String(r.live_mb),
    }));
    printRows(rows);
  }
}
