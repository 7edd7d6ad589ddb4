/** The library as tests of options present it to commands: every call is recorded, and slow parts are mocked. */
import { EventEmitter } from 'node:events';
import { type Calls, recorder } from './reach.js';

// biome-ignore lint/suspicious/noExplicitAny: the module as it is, whatever it exports
type Library = any;

/** GPUs that the mocks claim to have, so that a device other than the default can be chosen. */
const GPUS = 2;
const CLASSES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/**
 * The exports of dist/index.js.
 * @param real - The module.
 * @param createDataset - Of dist/data/dataset.js.
 */
export function library(real: Library, createDataset: Library, calls: Calls): Library {
  const { note, spy } = recorder(calls);
  /** `config.json` of the last run that was created: what evaluation and a resumed run read. */
  const last = { config: CONFIG as unknown };
  const set = () =>
    createDataset({
      ...{ name: 'numbers', split: 'train', classes: CLASSES, shape: [3, 32, 32], source: 'numbers' },
      ...{ images: new Uint8Array(84 * 3072), labels: Uint8Array.from({ length: 84 }, (_, i) => i % 7) },
    });
  const net = () => {
    const layer = new real.DynamicConv2d(3, 2, 3, { numExperts: 2 });
    return Object.assign(layer, { to: () => layer });
  };
  const lr = Object.fromEntries(
    Object.entries(real.optim.lr).map(([name, type]) => [name, spy(`lr.${name}`, type)]),
  );
  return {
    ...real,
    manualSeed: spy('manualSeed', real.manualSeed),
    setNumThreads: spy('setNumThreads', real.setNumThreads, () => {}),
    cuda: { ...real.cuda, deviceCount: () => GPUS },
    zeros: (shape: number[]) => real.zeros(shape), // not on a GPU
    models: {
      ...real.models,
      create: spy('models.create', real.models.create, net),
      loadPretrained: spy('models.loadPretrained', real.models.loadPretrained, async () => ({
        ...{ missing: [], unexpected: [], mismatched: [], file: 'start.pt', prefix: '' },
      })),
    },
    data: {
      ...real.data,
      create: spy('data.create', real.data.create, set),
      loader: spy('data.loader', real.data.loader, () => ({
        length: 8,
        async *[Symbol.asyncIterator]() {},
      })),
      grid: spy('data.grid', real.data.grid, () => new Uint8Array()),
    },
    functional: { ...real.functional, crossEntropy: spy('crossEntropy', real.functional.crossEntropy) },
    optim: {
      ...real.optim,
      lr,
      ...Object.fromEntries(
        ['SGD', 'Adam', 'AdamW', 'RMSprop'].map((name) => [name, spy(name, real.optim[name])]),
      ),
    },
    exportOnnx: spy('exportOnnx', real.exportOnnx, async () => ({
      ...{ inputs: [], outputs: [], nodes: 0, quantized: [] },
    })),
    exportTorchScript: spy('exportTorchScript', real.exportTorchScript, async () => ({
      ...{ inputs: [], tensors: 0 },
    })),
    loadTorchScript: async () => ({ run: async () => real.zeros([1, 7]), dispose() {} }),
    saveSafetensors: spy('saveSafetensors', real.saveSafetensors, async () => {}),
    loadSafetensors: async () => net().stateDict(),
    report: { ...real.report, ...reports(real, spy) },
    serve: {
      ...real.serve,
      loadClassifier: spy('loadClassifier', real.serve.loadClassifier, () => ({
        model: net(),
        config: last.config,
        predict: async () => CLASSES.map((name) => ({ name, probability: 1 / 7 })),
        dispose() {},
      })),
    },
    train: { ...real.train, ...training(real, last, { note, spy }) },
  };
}

type Recorder = ReturnType<typeof recorder>;

/** `config.json` of an existing run. */
const CONFIG = {
  ...{
    model: 'alexnet',
    modelOptions: { numClasses: 7 },
    parameters: { trainable: 1, statistics: 0, total: 1 },
  },
  ...{
    dataset: 'mnist',
    dataDir: 'data',
    classes: CLASSES,
    trainImages: 84,
    valImages: 84,
    imageShape: [3, 32, 32],
  },
  ...{ imageSize: 32, epochs: 1, batchSize: 4, lr: 1, momentum: 0, weightDecay: 0, labelSmoothing: 0 },
  ...{ milestones: [], gamma: 1, temperature: null, seed: 1, device: 'cpu', dtype: 'float32' },
  ...{ limitTrain: null, limitTest: null },
};

function reports(real: Library, spy: Recorder['spy']) {
  return {
    writeRunReport: spy('writeRunReport', real.report.writeRunReport, async () => {}),
    writePredictions: spy('writePredictions', undefined, async () => 18),
    compare: spy('report.compare', real.report.compare, async () => ({
      ...{ rows: [], findings: [], toString: () => 'table' },
    })),
    // alexnet-dy takes twice the time of the others.
    loadRun: spy('report.loadRun', real.report.loadRun, async (path: string) => {
      const isDynamic = path.includes('alexnet-dy');
      if (path.includes('long')) throw new Error('no such run');
      return {
        config: { ...CONFIG, model: /alexnet(-dy|-wide)?/.exec(path)?.[0] },
        epochs: [{ seconds: isDynamic ? 2 : 1 }],
      };
    }),
    summary: spy('report.summary', real.report.summary, () => ({ layers: [], toString: () => 'the layers' })),
  };
}

/** Mocks of training: a trainer that reports one epoch, and run directories without files. */
function training(real: Library, last: { config: unknown }, { note, spy }: Pick<Recorder, 'note' | 'spy'>) {
  const directory = (path: string) => ({
    path,
    file: (name: string) => `${path}/${name}`,
    readConfig: async () => structuredClone(last.config),
    readEnvironment: async () => ({}),
    writeEvaluation: async (record: unknown) => note('writeEvaluation', [record]),
    writeConfig: async (changed: unknown) => note('writeConfig', [changed]),
    saveCheckpoint: async (...args: unknown[]) => note('saveCheckpoint', args),
    append: async (record: unknown) => note('append', [record]),
    readMetrics: async () => [],
    resume: async () => true,
    lock: async () => {},
    close: async () => {},
  });
  const metrics = { loss: 1, accuracy: 0.5 };
  class Trainer extends EventEmitter {
    async fit() {
      const record = {
        ...{ type: 'epoch', epoch: 1, lr: 1, temperature: null, train: metrics, val: metrics, time: '' },
        ...{ seconds: 1, imagesPerSecond: 1, dataSeconds: 0 },
      };
      for (const listener of this.listeners('epoch')) await listener(record, { improved: true });
      return { stopped: false, earlyStopped: false, epochs: 1, steps: 1, best: { epoch: 1, ...metrics } };
    }
  }
  const evaluation = {
    ...{ loss: 1, accuracy: 0.5, images: 84, imagesPerSecond: 1 },
    confusion: CLASSES.map((_, i) => CLASSES.map((_, j) => (i === j ? 12 : 0))),
    predictions: Array.from({ length: 84 }, (_, i) => ({ label: i % 7, predicted: i % 7, probability: 1 })),
  };
  return {
    RunDirectory: {
      create: async (path: string, made: { config: unknown }) => {
        note('RunDirectory.create', [path, made]);
        last.config = JSON.parse(JSON.stringify(made.config));
        return directory(path);
      },
      open: async (path: string) => {
        note('RunDirectory.open', [path]);
        return directory(path);
      },
      assertFree: async (path: string) => note('RunDirectory.assertFree', [path]),
    },
    Trainer: spy('Trainer', real.train.Trainer, () => new Trainer()),
    temperatureSchedule: spy('temperatureSchedule', real.train.temperatureSchedule),
    kernelChoices: () => ({}),
    findLearningRate: async () => ({ lr: 0.0204, lrs: [], losses: [] }),
    describeEnvironment: spy('describeEnvironment', real.train.describeEnvironment, () => ({})),
    evaluate: spy('evaluate', real.train.evaluate, async () => evaluation),
  };
}
