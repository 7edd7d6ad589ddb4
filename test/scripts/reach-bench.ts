/**
 * Mocks of the slow parts of the benchmarks for tests of their options: nothing is measured. Every call is
 * recorded.
 */
import { EventEmitter } from 'node:events';
import { writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { type Calls, recorder } from './reach.js';

// biome-ignore lint/suspicious/noExplicitAny: modules as they are, whatever they export
type Module = any;

/** The exports of dist/index.js. */
export function library(real: Module, calls: Calls): Module {
  const { note, spy } = recorder(calls);
  const fake = {
    add: () => fake,
    transpose: () => fake,
    fill_: () => fake,
    dispose() {},
    item: () => 1,
    shape: [1],
  };
  /** A loader that gives one batch an epoch. */
  const loader = (_set: unknown, { batchSize }: { batchSize: number }) => ({
    length: 1,
    dispose() {},
    async *[Symbol.asyncIterator]() {
      note('epoch', []);
      for (let i = 0; i < 3; i++)
        yield { images: { shape: [batchSize], dispose() {} }, labels: { dispose() {} } };
    },
  });
  /** A trainer that takes steps until it is stopped. */
  class Trainer extends EventEmitter {
    readonly #signal: AbortSignal;
    constructor({ signal }: { signal: AbortSignal }) {
      super();
      this.#signal = signal;
    }
    async fit() {
      for (let step = 1; !this.#signal.aborted; step++) {
        note('step', []);
        this.emit('step', { step, dataSeconds: 0 });
      }
    }
    loadStateDict() {}
  }
  /** A pool that has run one more batch of two whenever it is asked. */
  const pool = () => {
    let batches = 0;
    return {
      run: async () => fake,
      metrics: () => ({ batches: ++batches, answered: 2 * batches }),
      async close() {},
    };
  };
  const onCpu = (Layer: Module) => (inChannels: number, outChannels: number, size: number, options: object) =>
    new Layer(inChannels, outChannels, size, { ...options, device: 'cpu' });
  const net = () => new real.nn.Linear(1, 1);
  const checkpoint = async () => ({ weights: net().stateDict(), state: {}, dispose() {} });
  const save = async ({ weights, state }: { weights: string; state: string }) => {
    for (const file of [weights, state]) writeFileSync(file, 'bytes');
  };
  return {
    ...real,
    setNumThreads: spy('setNumThreads', real.setNumThreads, () => {}),
    cuda: { ...real.cuda, deviceCount: () => 1, deviceProperties: () => ({ name: 'none' }) },
    randn: spy('randn', real.randn, (shape, { device: _ = 'cpu', ...rest } = {}) => real.randn(shape, rest)),
    randint: (low: number, high: number, shape: number[]) => real.randint(low, high, shape),
    ones: () => fake,
    empty: spy('empty', real.empty, () => fake),
    nn: {
      ...real.nn,
      Conv2d: spy('Conv2d', real.nn.Conv2d, onCpu(real.nn.Conv2d)),
      DynamicConv2d: spy('DynamicConv2d', real.nn.DynamicConv2d, onCpu(real.nn.DynamicConv2d)),
      compile: () => ({ run: async () => fake }),
    },
    models: {
      ...real.models,
      create: spy('models.create', real.models.create, () =>
        Object.assign(net(), { to: spy('to', undefined, net) }),
      ),
    },
    exportOnnx: spy('exportOnnx', real.exportOnnx, async () => ({ bytes: 1 })),
    serve: { ...real.serve, createPool: spy('createPool', undefined, async () => pool()) },
    data: { ...real.data, bundled: async () => ({}), loader: spy('data.loader', real.data.loader, loader) },
    train: {
      ...real.train,
      Trainer: spy('Trainer', real.train.Trainer, (options) => new Trainer(options)),
      saveCheckpoint: spy('saveCheckpoint', real.train.saveCheckpoint, save),
      loadCheckpoint: checkpoint,
      CapturedStep: spy('CapturedStep', real.train.CapturedStep, () => ({})),
    },
  };
}

/** The exports of scripts/bench/turns.js. */
export function turns(real: Module, calls: Calls): Module {
  const { spy } = recorder(calls);
  const results = (contestants: object) =>
    Object.fromEntries(
      Object.keys(contestants).map((name) => [name, { infer_ms: 1, train_ms: 1, turns: 1 }]),
    );
  return {
    ...real,
    takeTurns: spy('takeTurns', real.takeTurns, async (contestants) => results(contestants)),
    peakMemoryOf: spy('peakMemoryOf', real.peakMemoryOf, () => 1),
    printPeakMemory: spy('printPeakMemory', real.printPeakMemory, async () => {}),
  };
}

/** The exports of scripts/bench/pytorch.js. */
export function pytorch(real: Module, calls: Calls): Module {
  const { spy } = recorder(calls);
  return {
    ...real,
    startPyTorch: spy('startPyTorch', real.startPyTorch, async () => async () => 1),
    pytorchContestants: spy('pytorchContestants', real.pytorchContestants, async () => ({})),
  };
}

/** The exports of scripts/bench/program-contestants.js: a run lasts longer than a turn. */
export function programs(calls: Calls): Module {
  const { note, spy } = recorder(calls);
  const run = () => {
    note('run', []);
    for (const start = performance.now(); performance.now() - start < 110; );
  };
  return {
    programContestants: spy('programContestants', undefined, async () => ({ eager: run, compiled: run })),
  };
}

/** The exports of scripts/cli/onnxruntime.js: a run lasts longer than a turn. */
export function onnxruntime(calls: Calls): Module {
  const { note, spy } = recorder(calls);
  const session = {
    inputNames: ['input'],
    async run() {
      note('session.run', []);
      for (const start = performance.now(); performance.now() - start < 110; );
    },
    async release() {},
  };
  return {
    requireOnnxruntime: spy('requireOnnxruntime', undefined, () => ({
      InferenceSession: { create: async () => session },
    })),
    feedOf: (_ort: unknown, { shape }: { shape: number[] }) => note('feedOf', shape),
  };
}

/** The processes of `bench threads`: each answers one line with one line. */
export function spawn(calls: Calls) {
  const { note } = recorder(calls);
  return (...args: unknown[]) => {
    note('spawn', args);
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    stdin.on('data', (text) => {
      note('ask', [String(text).trim()]);
      stdout.write('1\n');
    });
    return Object.assign(new EventEmitter(), { stdin, stdout, kill() {} });
  };
}

/** The serving process of scripts/bench/serve/child.js, which is not started. */
export function servingProcess(calls: Calls): Module {
  const { spy } = recorder(calls);
  const server = { url: 'http://127.0.0.1:1/', ask: async () => ({ p50: 1, p99: 1 }), async stop() {} };
  return { startServer: spy('startServer', undefined, async () => server) };
}

/** The clients of scripts/bench/serve/load.js, which send nothing. */
export function load(real: Module, calls: Calls): Module {
  const { spy } = recorder(calls);
  return {
    ...real,
    closedLoop: spy('closedLoop', undefined, async () => ({ perSecond: 1, p50: 1, p99: 1 })),
    poster: spy('poster', undefined, () => ({ async post() {}, async close() {} })),
  };
}

/** The exports of scripts/bench/distributed/ranks.js: processes for which everything takes a millisecond. */
export function ranks(calls: Calls): Module {
  const { note, spy } = recorder(calls);
  const step = {
    passes: ['forward', 'backward', 'optimizer.step'].map((name, i) => ({ name, start: i, end: i + 1 })),
    calls: [{ operation: 'allReduce', dtype: 'float32', elements: 10, made: 1.2, begun: 1.3, ended: 1.9 }],
    origin: 0,
  };
  const group = (count: number) => ({
    async ask(request: string) {
      note('ask', [request]);
      const answer =
        request === 'trace' ? step : request.startsWith('cost ') ? { userMs: 1, systemMs: 1 } : 1;
      return Array.from({ length: count }, () => answer);
    },
    async end() {},
  });
  return {
    startRanks: spy('startRanks', undefined, async (count: number) => group(count)),
    startReference: spy('startReference', undefined, async (_: string, count: number) => group(count)),
    startHosts: spy('startHosts', undefined, (hosts: unknown[]) => group(hosts.length)),
  };
}

/** The exports of scripts/bench/distributed/namespaces.js: hosts that are not made. */
export function namespaces(calls: Calls): Module {
  const { spy } = recorder(calls);
  return {
    withNetwork: spy(
      'withNetwork',
      undefined,
      ({ hosts }: { hosts: number }, use: (made: object[]) => unknown) =>
        use(Array.from({ length: hosts }, () => ({}))),
    ),
  };
}
