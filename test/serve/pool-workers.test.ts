import { beforeEach, describe, expect, it } from 'vitest';
// The built package: worker threads cannot load TypeScript.
import {
  ArgumentError,
  CheckpointError,
  DatasetError,
  memory,
  nn,
  noGrad,
  serve,
  type Tensor,
  tensor,
  WorkerError,
} from '../../dist/index.js';
import { settleGarbage } from '../support/garbage.js';
import { limit } from '../support/limit.js';

const file = new URL('support/batch-functions.js', import.meta.url);
const row = (...values: number[]) => tensor([values.length === 0 ? [1, 2, 3] : values]);
const valuesOf = (y: Tensor) => {
  using own = y;
  return own.arraySync();
};
const settled = (promise: Promise<Tensor>) =>
  promise.then(valuesOf, (error: Error & { code?: string }) => error.code ?? error.name);
function weights(factor: number) {
  const layer = new nn.Linear(3, 2, { bias: false });
  noGrad(() => layer.weight.fill_(factor));
  return layer.stateDict();
}

beforeEach(settleGarbage);

describe('a pool of worker threads', { timeout: limit(60_000) }, () => {
  it('runs batches of tensors without copies that leak', async () => {
    await using pool = await serve.createPool({ module: { file }, replicas: 2 });
    const before = memory();
    using x = row();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => pool.run(() => row(i, 1, 0)).then(valuesOf)),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => [[i + 1, i + 1]]));
    expect(valuesOf(await pool.run(x))).toEqual([[6, 6]]);
    expect(memory().numTensors).toBe(before.numTensors + 1);
    expect(memory().sharedTensors).toBe(before.sharedTensors);
    expect(pool.metrics().workerExits).toBe(0);
  });

  it('runs batches of values, with tensors and errors among them', async () => {
    await using pool = await serve.createPool({
      module: { file, export: 'describeValues' },
      inputs: 'values',
    });
    using x = row();
    const before = memory();
    const [bytes, record, bad, thread] = await Promise.allSettled([
      pool.run(new Uint8Array(7)),
      pool.run({ tensor: x, name: 'x' }),
      pool.run('bad'),
      pool.run('thread'),
    ]);
    expect(bytes).toEqual({ status: 'fulfilled', value: 7 });
    const { twice, name } = (record as PromiseFulfilledResult<{ twice: Tensor; name: string }>).value;
    expect([valuesOf(twice), name]).toEqual([[[2, 4, 6]], 'x']);
    expect((bad as PromiseRejectedResult).reason).toBeInstanceOf(DatasetError);
    expect(thread).toMatchObject({ value: { isMainThread: false } });
    expect(memory().numTensors).toBe(before.numTensors);
    expect(memory().sharedTensors).toBe(before.sharedTensors);
    await expect(pool.run(() => () => 0)).rejects.toThrow('could not be cloned');
  });

  it('passes on what postMessage copies, with tensors in arrays, objects, maps and sets', async () => {
    await using pool = await serve.createPool({ module: { file, export: 'echo' }, inputs: 'values' });
    using x = row();
    const before = memory();
    const loop: Record<string, unknown> = { name: 'loop', list: [1, new Date(5), /a/g] };
    loop.self = loop;
    const echoed = (await pool.run(loop)) as typeof loop;
    expect(echoed).toEqual(loop);
    expect(echoed.self).toBe(echoed);
    const input = { ['__proto__']: 1, map: new Map([['x', [x]]]), set: new Set([x]) };
    const output = (await pool.run(input)) as typeof input;
    expect(Object.keys(output)).toEqual(Object.keys(input));
    const [inSet] = output.set;
    const [inMap] = output.map.get('x')!;
    expect(inSet).toBe(inMap);
    expect(valuesOf(inSet!)).toEqual([[1, 2, 3]]);
    // Objects of the user are not taken for those of the protocol.
    for (const marked of [{ type: 'dyconv.Error' }, { type: 'dyconv.TensorHandle', id: 1 }])
      expect(await pool.run(marked)).toEqual(marked);
    await settleGarbage();
    expect(memory().numTensors).toBe(before.numTensors);
  });

  it('refuses what postMessage does not copy, in that request alone', async () => {
    await using pool = await serve.createPool({ module: { file, export: 'echo' }, inputs: 'values' });
    using x = row();
    class Held {
      tensor = x;
    }
    const before = memory();
    const values = [1, { call: () => 0 }, Symbol('s'), Promise.resolve(1), new Held(), 'function', 'held', 2];
    const answers = await Promise.allSettled(values.map((value) => pool.run(value)));
    const refused = (what: string, why = 'it could not be cloned') =>
      new ArgumentError(`Expected values that postMessage copies, or Tensors, but received ${what}: ${why}`);
    const held = 'Tensors are passed in arrays, plain objects, maps and sets';
    expect(answers.map((answer) => (answer as PromiseRejectedResult).reason ?? answer)).toEqual([
      { status: 'fulfilled', value: 1 },
      refused('a function'),
      refused('a symbol'),
      refused('Promise (object)'),
      refused('Held (object)', held),
      refused('a function'),
      refused('Holder (object)', held),
      { status: 'fulfilled', value: 2 },
    ]);
    expect(pool.metrics()).toMatchObject({ answered: 2, failed: 6, workerExits: 0, retried: 8, crashed: 0 });
    expect(memory().sharedTensors).toBe(before.sharedTensors);
  });

  it('passes errors on with their class, name and code', async () => {
    await using pool = await serve.createPool({ module: { file }, batching: { maxBatch: 1 } });
    const before = memory();
    const known = await pool.run(() => row(-3, 0, 0)).catch((error: unknown) => error);
    expect(known).toBeInstanceOf(DatasetError);
    expect((known as Error).message).toBe('not a picture');
    expect((known as Error).stack).toContain('batch-functions.js');
    const custom = await pool.run(() => row(-4, 0, 0)).catch((error: unknown) => error);
    expect(custom).toMatchObject({ name: 'CustomError', code: 'EBUSY', message: 'busy' });
    expect(memory().sharedTensors).toBe(before.sharedTensors);
  });

  it.each([
    [-1, 'a thread that exits'],
    [-2, 'an error outside the function'],
  ])('replaces a worker that ends, and repeats its requests once: %i, %s', async (poison) => {
    await using pool = await serve.createPool({ module: { file } });
    const before = memory();
    const answers = [1, 2, poison, 4].map((first) => pool.run(() => row(first, 0, 0)));
    const error = await answers[2]!.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkerError);
    expect((error as WorkerError).code).toBe('ERR_WORKER');
    expect((error as Error).message).toMatch(/ended, also at the second attempt: .*(code: 1|in a timer)/);
    answers.splice(2, 1);
    expect(await Promise.all(answers.map(settled))).toEqual([[[1, 1]], [[2, 2]], [[4, 4]]]);
    expect(await settled(pool.run(() => row()))).toEqual([[6, 6]]);
    expect(pool.metrics()).toMatchObject({ workerExits: 2, retried: 4, crashed: 1, answered: 4, failed: 0 });
    expect(memory().numTensors).toBe(before.numTensors);
    expect(memory().sharedTensors).toBe(before.sharedTensors);
  });

  it('swaps weights in all workers, also in those that start later', async () => {
    const pool = await serve.createPool({ module: { file }, replicas: 2, batching: { maxBatch: 1 } });
    const ask = () => Promise.all(Array.from({ length: 6 }, () => settled(pool.run(() => row()))));
    const before = memory();
    const state = weights(2);
    await pool.swap(state);
    for (const value of Object.values(state)) value.dispose();
    expect(new Set((await ask()).map(String))).toEqual(new Set(['12,12']));
    expect(await settled(pool.run(() => row(-1, 0, 0)))).toBe('ERR_WORKER');
    expect(new Set((await ask()).map(String))).toEqual(new Set(['12,12']));
    await expect(pool.swap(new nn.Linear(4, 2).stateDict())).rejects.toThrow(CheckpointError);
    expect(new Set((await ask()).map(String))).toEqual(new Set(['12,12']));
    await pool.swap(weights(3));
    expect(new Set((await ask()).map(String))).toEqual(new Set(['18,18']));
    await pool.close();
    expect(memory().sharedTensors).toBe(before.sharedTensors);
  });

  it('swaps the module file', async () => {
    await using pool = await serve.createPool<never>({ module: { file, export: 'default' } });
    await expect(pool.swap({ file, export: 'none' })).rejects.toThrow(
      /a function for the export none of file:.*the functions default, describeValues, echo, hang, loadStateDict, slow, spin$/,
    );
    expect(await settled(pool.run(() => row()))).toEqual([[6, 6]]);
    await pool.swap({ file });
    expect(await settled(pool.run(() => row()))).toEqual([[6, 6]]);
    expect(pool.metrics().swaps).toBe(1);
  });

  it('reports a module that cannot be loaded, or has no such function', async () => {
    const broken = new URL('support/broken-module.js', import.meta.url);
    await expect(serve.createPool({ module: { file: broken } })).rejects.toThrow(
      'this module cannot be loaded',
    );
    const absent = new URL('support/absent.js', import.meta.url);
    await expect(serve.createPool({ module: { file: absent } })).rejects.toThrow('absent.js');
    await expect(serve.createPool({ module: { file, export: 'notAFunction' } })).rejects.toThrow(
      /^Expected a function for the export notAFunction of file:.*describeValues/,
    );
    await using pool = await serve.createPool({
      module: { file, export: 'describeValues' },
      inputs: 'values',
    });
    await expect(pool.swap(weights(1))).resolves.toBeUndefined();
  });

  it('drains before its threads end', async () => {
    const pool = await serve.createPool({ module: { file }, batching: { maxBatch: 1 } });
    const answers = Array.from({ length: 5 }, () => settled(pool.run(() => row())));
    await pool.close();
    expect(pool.metrics()).toMatchObject({ answered: 5, queued: 0, running: 0 });
    expect(new Set((await Promise.all(answers)).map(String))).toEqual(new Set(['6,6']));
  });
});
