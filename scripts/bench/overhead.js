import { ones } from '../../dist/index.js';
import { startPyTorch } from './pytorch.js';
import { machine, median, printRows, record } from './turns.js';

const CALLS = 20_000;

/**
 * Microseconds per call from JavaScript, medians over interleaved turns.
 * @param {{ json?: boolean, pytorch?: string | undefined }} options
 */
export async function measureOverhead({ json, pytorch }) {
  const a = ones([1]);
  const b = ones([1]);
  const matrix = ones([4, 4]);
  /** @type {Record<string, () => unknown>} */
  const calls = {
    'add of 1 element': () => a.add(b).dispose(),
    'add of 1 element, not disposed': () => a.add(b),
    'reading a shape': () => matrix.shape,
    'reading a number': () => a.item(),
    'a view': () => matrix.transpose(0, 1).dispose(),
  };
  const ask = pytorch ? await startPyTorch(pytorch, ['--modes', '']) : undefined;
  /** @type {Record<string, number[]>} */
  const times = {};
  for (let turn = 0; turn <= 9; turn++) {
    for (const [name, call] of Object.entries(calls)) {
      const start = performance.now();
      for (let i = 0; i < CALLS; i++) call();
      if (turn > 0) record(times, name, ((performance.now() - start) * 1000) / CALLS);
    }
    if (ask) {
      const microseconds = await ask('add');
      if (turn > 0) record(times, 'pytorch: add of 1 element', microseconds);
    }
  }
  await ask?.('quit');
  const results = Object.fromEntries(
    Object.entries(times).map(([name, values]) => [name, { us: Number(median(values).toFixed(3)) }]),
  );
  if (json) console.log(JSON.stringify({ what: 'overhead', machine: machine(), results }));
  else printRows(Object.entries(results).map(([name, { us }]) => ({ call: name, µs: us.toFixed(2) })));
}
