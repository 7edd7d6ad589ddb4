/**
 * The overhead of training: the trainer's share of a step, and checkpoints.
 * @module
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { data, manualSeed, models, optim, Tensor, train } from '../../dist/index.js';
import { machine, median, printRows, record } from './turns.js';

/** @typedef {{ model: string, batch: number, steps: number, turns: number, json?: boolean }} Options */

/** @param {Options} options */
export async function measureTraining(options) {
  const { model, batch, json } = options;
  const steps = await measureSteps(options);
  const checkpoint = await measureCheckpoints(options);
  if (json) {
    console.log(JSON.stringify({ what: 'train', model, batch, machine: machine(), steps, checkpoint }));
    return;
  }
  const share = (/** @type {number} */ ms) => `${((100 * ms) / steps.step_ms).toFixed(2)} %`;
  printRows([
    { 'of a step': 'the step', ms: steps.step_ms.toFixed(2), share: share(steps.step_ms) },
    { 'of a step': 'forward, loss', ms: steps.forward_ms.toFixed(2), share: share(steps.forward_ms) },
    { 'of a step': 'backward', ms: steps.backward_ms.toFixed(2), share: share(steps.backward_ms) },
    { 'of a step': "optimizer's step", ms: steps.optimizer_ms.toFixed(2), share: share(steps.optimizer_ms) },
    { 'of a step': 'overhead', ms: steps.overhead_ms.toFixed(2), share: share(steps.overhead_ms) },
    { 'of a step': '  waiting for data', ms: steps.data_ms.toFixed(2), share: share(steps.data_ms) },
  ]);
  const { megabytes, save_ms, write_ms, load_ms, read_ms } = checkpoint;
  const line = (/** @type {string} */ name, /** @type {number} */ ms, /** @type {number} */ floor) => ({
    checkpoint: name,
    MB: megabytes.toFixed(1),
    ms: ms.toFixed(0),
    'of the floor': (ms / floor).toFixed(2),
  });
  printRows([
    line('save', save_ms, write_ms),
    line('  floor: write, flush, rename', write_ms, write_ms),
    line('load into model and optimizer', load_ms, read_ms),
    line('  floor: read', read_ms, read_ms),
  ]);
}

/** A training of the bundled images. @param {Options} options @param {AbortSignal} [signal] */
async function assemble({ model: name, batch }, signal) {
  manualSeed(1);
  const set = await data.bundled({ split: 'train', channels: 3 });
  const model = models.create(name, { numClasses: 10 });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const trainLoader = data.loader(set, {
    batchSize: batch,
    shuffle: true,
    dropLast: true,
    transform: data.transforms.train(),
    seed: 1,
  });
  const trainer = new train.Trainer({ model, optimizer, trainLoader, epochs: 1000, signal });
  return { model, optimizer, trainer };
}

/**
 * Medians over the steps of a real training with its loader. Forward, backward and the optimizer's step are timed where
 * they are called; overhead is the rest of the time from one step to the next, waiting for data included.
 * @param {Options} options
 */
async function measureSteps(options) {
  const controller = new AbortController();
  const { model, optimizer, trainer } = await assemble(options, controller.signal);
  let spent = { forward: 0, backward: 0, optimizer: 0 };
  /**
   * Adds the time of a method's calls to what was spent.
   * @template {string} M
   * @param {Record<M, Function>} object
   * @param {M} method
   * @param {keyof typeof spent} name
   */
  const timed = (object, method, name) => {
    const original = object[method];
    object[method] = function (/** @type {unknown[]} */ ...args) {
      const start = performance.now();
      const result = original.apply(this, args);
      spent[name] += performance.now() - start;
      return result;
    };
    return () => {
      object[method] = original;
    };
  };
  timed(model, 'forward', 'forward');
  timed(optimizer, 'step', 'optimizer');
  const restore = timed(Tensor.prototype, 'backward', 'backward');
  /** @type {Record<string, number[]>} */
  const times = {};
  let last = performance.now();
  trainer.on('step', ({ step, dataSeconds }) => {
    const now = performance.now();
    // The first steps warm up: the loader fills, memory is touched for the first time.
    if (step > 3) {
      const { forward, backward, optimizer: stepping } = spent;
      record(times, 'step_ms', now - last);
      record(times, 'forward_ms', forward);
      record(times, 'backward_ms', backward);
      record(times, 'optimizer_ms', stepping);
      record(times, 'overhead_ms', now - last - forward - backward - stepping);
      record(times, 'data_ms', dataSeconds * 1000);
    }
    last = now;
    spent = { forward: 0, backward: 0, optimizer: 0 };
    if (step === options.steps + 3) controller.abort();
  });
  try {
    await trainer.fit();
  } finally {
    restore();
  }
  const medians = Object.entries(times).map(([name, values]) => [name, Number(median(values).toFixed(3))]);
  return /** @type {Record<'step_ms' | 'forward_ms' | 'backward_ms' | 'optimizer_ms' | 'overhead_ms' | 'data_ms', number>} */ (
    Object.fromEntries(medians)
  );
}

/**
 * Saving and loading the whole state, weights and momentum, in the temporary folder of the system; saving includes the
 * flush to the disk. In turn with them the floor: the same bytes out of and into one buffer, by the same system calls.
 * @param {Options} options
 */
async function measureCheckpoints(options) {
  const controller = new AbortController();
  const { model, trainer } = await assemble({ ...options, batch: 8 }, controller.signal);
  trainer.on('step', () => controller.abort()); // one step: then there is momentum
  await trainer.fit();
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-bench-'));
  const files = { weights: join(folder, 'last.safetensors'), state: join(folder, 'last.state') };
  const plain = [join(folder, 'plain-1'), join(folder, 'plain-2')];
  /** @type {Record<string, number[]>} */
  const times = {};
  const timed = async (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ run) => {
    const start = performance.now();
    await run();
    record(times, name, performance.now() - start);
  };
  const load = async () => {
    const { weights, state, dispose } = await train.loadCheckpoint(files);
    model.loadStateDict(weights);
    trainer.loadStateDict(state);
    dispose();
  };
  try {
    await train.saveCheckpoint(files, model, trainer);
    const sizes = [files.weights, files.state].map((file) => statSync(file).size);
    const buffer = Buffer.alloc(Math.max(...sizes), 1);
    for (let turn = 0; turn <= options.turns; turn++) {
      await timed('write', () => writePlain(plain, buffer, sizes));
      await timed('save', () => train.saveCheckpoint(files, model, trainer));
      await timed('read', () => readPlain(plain, buffer));
      await timed('load', load);
      if (turn === 0) for (const name of Object.keys(times)) delete times[name]; // memory touched for the first time
    }
    const ms = (/** @type {string} */ name) => Number(median(times[name] ?? []).toFixed(1));
    const megabytes = sizes.reduce((sum, size) => sum + size) / 1e6;
    return {
      save_ms: ms('save'),
      write_ms: ms('write'),
      load_ms: ms('load'),
      read_ms: ms('read'),
      megabytes,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string[]} paths @param {Buffer} buffer @param {number[]} sizes */
async function writePlain(paths, buffer, sizes) {
  const stage = async (/** @type {string} */ path, /** @type {number} */ index) => {
    const file = await open(`${path}.tmp`, 'w');
    await file.write(buffer, 0, sizes[index] ?? 0);
    await file.sync();
    await file.close();
  };
  await Promise.all(paths.map(stage));
  for (const path of paths) {
    await rename(`${path}.tmp`, path);
    const folder = await open(dirname(path));
    await folder.sync();
    await folder.close();
  }
}

/** @param {string[]} paths @param {Buffer} buffer */
async function readPlain(paths, buffer) {
  for (const path of paths) {
    const file = await open(path);
    await file.read(buffer, 0, buffer.length, 0);
    await file.close();
  }
}
