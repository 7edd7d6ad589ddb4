/** Synthetic runs: smooth curves with a little noise, the same on every machine. */
import type {
  EpochRecord,
  EvaluationRecord,
  RunConfig,
  RunData,
  RunEnvironment,
} from '../../../lib/run/records.js';

export const CLASSES = [
  't-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
];

/** A small generator (mulberry32), so that tests do not depend on Math.random. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface MadeUp {
  model?: string;
  epochs?: number;
  seed?: number;
  /** Accuracy to which the curve converges. */
  ceiling?: number;
  config?: Partial<RunConfig>;
  name?: string;
}

export function madeUpConfig(options: MadeUp = {}): RunConfig {
  const model = options.model ?? 'alexnet-dy';
  const dynamic = model.endsWith('-dy');
  const trainable = dynamic ? 8_322_992 : 7_525_418;
  return {
    model,
    modelOptions: dynamic ? { numClasses: 10, numExperts: 2 } : { numClasses: 10 },
    parameters: { trainable, statistics: 1376, total: trainable + 1376 },
    dataset: 'fashion-mnist',
    dataDir: '/usr/share/datasets/fashion-mnist',
    classes: CLASSES,
    trainImages: 60000,
    valImages: 10000,
    imageShape: [1, 28, 28],
    imageSize: 128,
    epochs: options.epochs ?? 20,
    batchSize: 512,
    lr: 0.1,
    momentum: 0,
    weightDecay: 1e-5,
    labelSmoothing: 0.1,
    milestones: [30, 60, 90],
    gamma: 0.1,
    temperature: dynamic ? { start: 30, epochs: 10 } : null,
    seed: options.seed ?? 42,
    device: 'cpu',
    dtype: 'float32',
    limitTrain: null,
    limitTest: null,
    ...options.config,
  };
}

export function madeUpEnvironment(): RunEnvironment {
  return {
    dyconv: '0.1.0',
    node: 'v20.20.2',
    libtorch: '2.13.0+cpu',
    platform: 'linux-x64',
    cpu: 'AMD EPYC 9R14',
    cores: 2,
    memoryBytes: 16 * 2 ** 30,
    threads: 2,
    device: 'cpu',
    algorithms: ['fused', 'mix-after', 'grouped', 'reference'],
    command: ['node', 'scripts/train.js', '--model', 'alexnet-dy', '--dataset', 'fashion-mnist'],
    time: '2026-11-20T08:00:00.000Z',
  };
}

export function madeUpEpochs(options: MadeUp = {}): EpochRecord[] {
  const { epochs = 20, seed = 42, ceiling = 0.91, model = 'alexnet-dy' } = options;
  const random = generator(seed);
  return Array.from({ length: epochs }, (_, index): EpochRecord => {
    const epoch = index + 1;
    const rise = 1 - Math.exp(-(epoch + 1) / 6);
    const noise = () => (random() - 0.5) * 0.03 * (1.2 - rise);
    const train = 0.35 + (ceiling - 0.4) * rise + noise();
    const val = 0.4 + (ceiling - 0.4) * rise + noise();
    const temperature = model.endsWith('-dy') ? Math.max(1, 30 - 3 * index) : null;
    const lean = 0.5 - 0.25 * rise + noise();
    const entropy = -(lean * Math.log(lean) + (1 - lean) * Math.log(1 - lean));
    return {
      type: 'epoch',
      epoch,
      lr: 0.1 * 0.1 ** [30, 60, 90].filter((milestone) => epoch > milestone).length,
      temperature,
      train: { loss: 2.5 - 1.7 * train, accuracy: train },
      val: { loss: 2.4 - 1.75 * val, accuracy: val },
      seconds: 150 + 4 * random(),
      imagesPerSecond: 390 + 10 * random(),
      dataSeconds: 0.4,
      time: new Date(Date.UTC(2026, 10, 20, 8, 3 * epoch)).toISOString(),
      ...(temperature !== null && {
        experts: ['features.8', 'features.11', 'features.14'].map((layer, i) => ({
          layer,
          mean: [lean + 0.02 * i, 1 - lean - 0.02 * i],
          entropy: entropy - 0.03 * i,
        })),
      }),
    };
  });
}

export function madeUpEvaluation(seed = 7): EvaluationRecord {
  const random = generator(seed);
  const confusion = CLASSES.map((_, row) => {
    const counts = CLASSES.map((_, column) => (column === row ? 0 : Math.floor(random() ** 4 * 60)));
    counts[row] = 1000 - counts.reduce((sum, n) => sum + n, 0);
    return counts;
  });
  const right = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  return {
    checkpoint: 'best',
    loss: 0.72,
    accuracy: right / 10000,
    images: 10000,
    imagesPerSecond: 1321,
    classes: CLASSES,
    confusion,
  };
}

export function madeUpRun(options: MadeUp = {}): RunData {
  const config = madeUpConfig(options);
  const epochs = madeUpEpochs(options);
  const random = generator((options.seed ?? 42) + 1);
  return {
    path: `runs/${options.name ?? config.model}`,
    name: options.name ?? config.model,
    config,
    environment: madeUpEnvironment(),
    epochs,
    steps: epochs.flatMap(({ epoch, train, lr }) =>
      Array.from({ length: 11 }, (_, i) => ({
        type: 'step' as const,
        epoch,
        step: (epoch - 1) * 117 + 10 * (i + 1),
        loss: train.loss + (random() - 0.5) * 0.2,
        accuracy: train.accuracy,
        lr,
      })),
    ),
    evaluation: madeUpEvaluation(options.seed),
    predictions: null,
    mistakes: null,
  };
}
