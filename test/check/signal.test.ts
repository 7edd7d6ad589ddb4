import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { onAbort } from '../../lib/check/signal.js';
import { nn, ones, serve } from '../../lib/index.js';

/** Names of the warnings of the process until the end of the test. */
function warnings(): string[] {
  const names: string[] = [];
  const listener = ({ name }: Error) => void names.push(name);
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return names;
}

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('onAbort', () => {
  it('calls every callback once, in their order, those that were removed not', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const calls: number[] = [];
    const count = (i: number) => () => void calls.push(i);
    const removes = [1, 2, 3].map((i) => onAbort(signal, count(i)));
    expect(listenersOf(signal)).toBe(1);
    removes[1]!();
    controller.abort();
    controller.abort();
    expect(calls).toEqual([1, 3]);
    for (const remove of removes) remove();
    expect(listenersOf(signal)).toBe(0);
  });

  it('keeps a callback that was given twice apart', () => {
    const controller = new AbortController();
    let calls = 0;
    const callback = () => void calls++;
    const remove = onAbort(controller.signal, callback);
    onAbort(controller.signal, callback);
    remove();
    remove();
    controller.abort();
    expect(calls).toBe(1);
  });

  it('leaves no listener when the last callback is removed, and takes new ones then', () => {
    const controller = new AbortController();
    const { signal } = controller;
    onAbort(signal, () => {})();
    expect(listenersOf(signal)).toBe(0);
    let calls = 0;
    onAbort(signal, () => void calls++);
    controller.abort();
    expect(calls).toBe(1);
  });
});

it('one signal for many requests is no warning of a leak', async () => {
  const names = warnings();
  const { signal } = new AbortController();
  const program = nn.compile(new nn.ReLU().eval(), ones([1, 2]));
  await using pool = await serve.createPool({ program, batching: { maxBatch: 1 } });
  const x = ones([1, 2]);
  const requests = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? pool : program).run(x, { signal }));
  for (const y of await Promise.all(requests)) expect(y.arraySync()).toEqual([[1, 1]]);
  await sleep(1);
  expect(names).toEqual([]);
  expect(listenersOf(signal)).toBe(0);
});
