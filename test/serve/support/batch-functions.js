// Functions that the tests of worker threads run. The package is loaded as its users load it.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, threadId } from 'node:worker_threads';
import { DatasetError, nn, noGrad } from '../../../dist/index.js';

const layer = new nn.Linear(3, 2, { bias: false });
noGrad(() => layer.weight.fill_(1));

/** [rows, 3] to [rows, 2]: sums of rows. A row that begins with -1 ends the thread; one with -2 throws in a timer. */
export default function forward(x) {
  const first = x.select(1, 0).arraySync();
  if (first.includes(-1)) process.exit(1);
  if (first.includes(-2)) {
    setTimeout(() => {
      throw new Error('in a timer');
    });
    return new Promise(() => {});
  }
  if (first.includes(-3)) throw new DatasetError('not a picture');
  if (first.includes(-4)) throw Object.assign(new Error('busy'), { name: 'CustomError', code: 'EBUSY' });
  return layer.forward(x);
}

/** With a key `hang` it loads the weights and never ends. */
export function loadStateDict({ hang, ...state }) {
  layer.loadStateDict(state);
  return hang && new Promise(() => {});
}

/** Values of several kinds. */
export async function describeValues(values) {
  return values.map((value) => {
    if (value === 'bad') return new DatasetError('a bad value');
    if (value === 'thread') return { threadId, isMainThread };
    if (value instanceof Uint8Array) return value.length;
    return { twice: value.tensor.mul(2), name: value.name };
  });
}

/** The values themselves; for `'function'` a value that cannot be posted, for `'held'` a tensor in an object of a class. */
export function echo(values) {
  return values.map((value) => {
    if (value === 'function') return { call: () => value };
    if (value === 'held') return new Holder();
    return value;
  });
}

/** The values themselves, except that a batch with `'forever'` is never answered. */
export const hang = (values) => (values.includes('forever') ? new Promise(() => {}) : values);

/** The same without returning to the event loop. */
export function spin(values) {
  while (values.includes('forever'));
  return values;
}

/** Waits for the milliseconds that the first value is, and answers with the number of the thread. */
export async function slow(values) {
  await sleep(values[0]);
  return values.map(() => threadId);
}

class Holder {
  weight = layer.weight.detach();
}

export const notAFunction = 5;
