/**
 * The records of a run: the lines of `metrics.jsonl` and the contents of `config.json` and
 * `environment.json`. Trainer, run directory and reports share only these types.
 * @module
 */

import type { Device } from '../tensor/dtype.js';

/** Mean loss and accuracy over a number of images. Accuracy is between 0 and 1. */
export interface LossAndAccuracy {
  /** Mean over the images. */
  loss: number;
  /** 0 to 1. */
  accuracy: number;
}

/** One logged training step, written every `logEvery` batches (the article: 10). */
export interface StepRecord {
  /** Type of the record. */
  type: 'step';
  /** 1-based epoch. */
  epoch: number;
  /** 1-based number of the optimizer step, counted over the whole run. */
  step: number;
  /** Loss of this batch. */
  loss: number;
  /** Accuracy of this batch, 0 to 1. */
  accuracy: number;
  /** Learning rate of this step. */
  lr: number;
}

/** The use of experts of one dynamic layer during an epoch. */
export interface ExpertUsage {
  /** Name of the layer, such as `features.8`. */
  layer: string;
  /** Mean attention of every expert over the training images; sums to 1 with softmax routing. */
  mean: number[];
  /** Mean entropy of the attention in nats, from 0 (only one expert) to ln(K) (all equally). */
  entropy: number;
}

/** One finished epoch. */
export interface EpochRecord {
  /** Type of the record. */
  type: 'epoch';
  /** 1-based epoch. */
  epoch: number;
  /** Learning rate of the epoch (of the first parameter group, at the start of the epoch). */
  lr: number;
  /** Softmax temperature of the first dynamic layer during this epoch; null for a model without dynamic layers. */
  temperature: number | null;
  /** Over the training batches, while the weights change. */
  train: LossAndAccuracy;
  /** Over the whole validation set after the epoch; null without one. */
  val: LossAndAccuracy | null;
  /** Wall time of the epoch's training part, in seconds; validation is not counted. */
  seconds: number;
  /** Training images per second. */
  imagesPerSecond: number;
  /** Part of `seconds` in which the trainer waited for the loader. */
  dataSeconds: number;
  /** When the epoch ended, ISO 8601. */
  time: string;
  /** Absent for a model without dynamic layers; of a resumed epoch, the part after the resume. */
  experts?: ExpertUsage[] | undefined;
  /** Results of the trainer's option `metrics` on the validation set, by name; absent without that option or a validation. */
  metrics?: Record<string, unknown> | undefined;
}

/** Images per true class (row) and predicted class (column), with the names of the classes. */
export interface ConfusionInput {
  /** Class names in label order. */
  classes: readonly string[];
  /** Counts, by true class (rows) and predicted class. */
  confusion: readonly (readonly number[])[];
}

/** `evaluation.json`: a checkpoint measured on the test set. */
export interface EvaluationRecord extends LossAndAccuracy {
  /** `best`, `last`, `epoch-<number>`, or the path of a file of weights. */
  checkpoint: string;
  /** Number of evaluated images. */
  images: number;
  /** Images per second, including loading. */
  imagesPerSecond: number;
  /** Class names in label order. */
  classes: string[];
  /** Images per true class (row) and predicted class (column). */
  confusion: number[][];
  /** Folder of the images, or the file of a manifest. Absent in older runs. */
  dataDir?: string | null | undefined;
  /** Whether they are the test images of the run: comparisons use no others. Absent: true. */
  ownImages?: boolean | undefined;
  /** The same weights with the attention of every image replaced by its mean over the images. Absent unless measured. */
  collapsed?: LossAndAccuracy | undefined;
}

/** A line of `metrics.jsonl`. */
export type MetricsRecord = StepRecord | EpochRecord;

/** Numbers of scalars in a model. */
export interface ParameterCounts {
  /** Trained scalars. */
  trainable: number;
  /** Running means and variances of batch norm. */
  statistics: number;
  /** The sum of both, as in the article. Temperatures and step counters are not counted. */
  total: number;
}

/** Digests of the images of a run. */
export interface ImageDigests {
  /** Digest of the training images, including those held out for validation. */
  train: string;
  /** Digest of the test images. */
  test: string;
  /** Digest of the validation images, if the data set has its own. */
  val?: string | undefined;
}

/** `config.json`: everything needed to build the model and repeat the run. */
export interface RunConfig {
  /** The recipe: source of values that were not in the command line. Absent in older runs: 'article'. */
  recipe?: 'article' | 'small' | 'mobilenetv3-dy' | undefined;
  /** Name for `models.create`. */
  model: string;
  /** Options for `models.create`, such as `{ numClasses: 10, numExperts: 2 }`. */
  modelOptions: Record<string, number | string | boolean>;
  /** Numbers of parameters. */
  parameters: ParameterCounts;
  /** Name for `data.create`; another one where the images come from a custom data set. */
  dataset: string;
  /** Folder of the data set, or the file of a manifest: an absolute path, relative in older runs; null for the bundled set. */
  dataDir: string | null;
  /** Class names in label order. */
  classes: string[];
  /**
   * Digests of the names and classes of the images, by which later commands recognize them: 16 hexadecimal digits for each split. Absent for
   * images without names, such as CIFAR-10, and in older runs.
   */
  imageDigests?: ImageDigests | undefined;
  /**
   * Digests of the names, classes and contents of the images, by which changed files of the same names are recognized. Absent for images that
   * are not files, and in older runs.
   */
  contentDigests?: ImageDigests | undefined;
  /** Images of an epoch. */
  trainImages: number;
  /** Images of a validation. */
  valImages: number;
  /**
   * Share of the training images of every class that is held out to choose the best epoch; null if the test images
   * choose it; 'folder' if the set has a folder of validation images. Absent in older runs: null.
   */
  valSplit?: number | 'folder' | null | undefined;
  /** [C, H, W] of the images in the data set. */
  imageShape: number[];
  /** Side of the square input images in pixels. */
  imageSize: number;
  /**
   * Mean and standard deviation of the images, a name of `data.transforms.presets`; `imagenet` also crops images at the center, as for
   * the weights of torchvision. Absent in older runs: 'half'.
   */
  preset?: 'half' | 'imagenet' | 'cifar10' | 'cifar100' | undefined;
  /** Passes over the training images. */
  epochs: number;
  /** Images of a batch. */
  batchSize: number;
  /** Initial learning rate, or the highest of the schedule. */
  lr: number;
  /** Momentum of SGD and RMSprop. */
  momentum: number;
  /** Weight decay: an L2 penalty, or decoupled from the gradient with AdamW. */
  weightDecay: number;
  /** Label smoothing, 0 to 1. */
  labelSmoothing: number;
  /** Epochs after which the learning rate is multiplied by `gamma`. */
  milestones: number[];
  /** Factor of the learning rate at a milestone. */
  gamma: number;
  /** Temperature schedule; null for a model without dynamic layers. */
  temperature: { start: number; epochs: number } | null;
  /** Seed of weights, order and augmentation. */
  seed: number;
  /** Device of the training. */
  device: Device;
  /** Dtype of the weights. */
  dtype: string;
  /** Number of training images that were used; null for all. */
  limitTrain: number | null;
  /** Number of test images that were used; null for all. */
  limitTest: number | null;
  /** Cropping of training images. Absent in older runs: 'resized', as in the article. */
  crop?: 'resized' | 'padded' | 'none' | undefined;
  /** Padding in pixels for `crop: 'padded'`; null otherwise. */
  padding?: number | null | undefined;
  /** Probability of a horizontal flip. Absent: 0.5. */
  flip?: number | undefined;
  /** Strengths for brightness, contrast, saturation and, if given, hue; null for none. */
  colorJitter?: number[] | null | undefined;
  /** Probability of random erasing; null for none. */
  randomErasing?: number | null | undefined;
  /** The alpha of MixUp; null for none. */
  mixup?: number | null | undefined;
  /** The alpha of CutMix; null for none. */
  cutmix?: number | null | undefined;
  /** Probability that a batch is mixed; null for 1. */
  mixProb?: number | null | undefined;
  /** Dtype of the images of a batch. Absent: float32. */
  batchDtype?: 'float32' | 'bfloat16' | undefined;
  /** Memory layout of the images of a batch. Absent: contiguous. */
  memoryFormat?: 'contiguous' | 'channels-last' | undefined;
  /** Where images are transformed. Absent: on the CPU. */
  augmentOn?: 'cpu' | 'device' | undefined;
  /** Learning-rate schedule. Absent in older runs: 'milestones'. */
  schedule?: ScheduleName | undefined;
  /** Number of warm-up epochs. Absent: 0. */
  warmupEpochs?: number | undefined;
  /** Gradient accumulation: batches per optimizer step. Absent: 1. */
  accumulate?: number | undefined;
  /** Gradient clipping by norm; null for none. */
  clipGradNorm?: number | null | undefined;
  /** Gradient clipping by value; null for none. */
  clipGradValue?: number | null | undefined;
  /** Decay of the averaged weights, which validation and `best.safetensors` use; null for none. */
  ema?: number | null | undefined;
  /** Mixed precision: dtype of the forward pass; null for none. */
  autocast?: 'bfloat16' | 'float16' | null | undefined;
  /** Whether steps are captured as a CUDA graph. Absent: false. */
  capture?: boolean | undefined;
  /** Metric that chooses the best epoch. Absent: 'accuracy'. */
  monitor?: 'accuracy' | 'loss' | undefined;
  /** Early stopping: number of validations without improvement; null for none. */
  earlyStopping?: { patience: number; minDelta: number } | null | undefined;
  /** Number of epochs between validations. Absent: 1. */
  validateEvery?: number | undefined;
  /** Number of epochs between kept checkpoints; null for none. */
  keepCheckpoints?: { every: number; last: number } | null | undefined;
  /** Where the initial weights are: a file, an address or `hf:org/name`; null for random ones. */
  init?: string | null | undefined;
  /** Parts of the network that are not trained; null for none. */
  freeze?: string[] | null | undefined;
  /** Whether `lr` was found by the learning-rate range test. Absent: false. */
  findLr?: boolean | undefined;
  /** Weights of the classes in the loss, in label order; null for equal ones. */
  classWeights?: number[] | null | undefined;
  /** How training images are drawn: every one once an epoch, or every class equally often. Absent: 'shuffled'. */
  sampling?: 'shuffled' | 'balanced' | undefined;
  /** Optimizer. Absent in older runs: 'sgd'. */
  optimizer?: 'sgd' | 'adam' | 'adamw' | 'rmsprop' | undefined;
}

/**
 * Learning-rate schedules: steps at milestones; half a cosine to 0; one cycle of a cosine up and down
 * (OneCycleLR); constant. `cosine` and `one-cycle` change the rate at every step.
 */
export type ScheduleName = 'milestones' | 'cosine' | 'one-cycle' | 'constant';

/** `environment.json`: the machine and the versions of a run. */
export interface RunEnvironment {
  /** Version of dyconv. */
  dyconv: string;
  /** Git commit of dyconv, with `-dirty` if it was changed; null or absent for an installed package. */
  commit?: string | null | undefined;
  /** Version of Node.js. */
  node: string;
  /** Version of libtorch. */
  libtorch: string;
  /** Operating system and architecture. */
  platform: string;
  /** Name of the CPU, or 'unknown'. */
  cpu: string;
  /** Number of cores that the process may use. */
  cores: number;
  /** Memory of the machine in bytes. */
  memoryBytes: number;
  /** Number of threads of libtorch. */
  threads: number;
  /** Device of the training. */
  device: string;
  /** Instruction set of libtorch's kernels. */
  cpuCapability?: string | undefined;
  /** The algorithm of every dynamic layer by its name, at the run's batch size. */
  kernels?: Record<string, string> | undefined;
  /** Dynamic convolution algorithms of this build, in the order of preference. */
  algorithms: string[];
  /** Command line of the run. */
  command: string[];
  /** Start of the run, ISO 8601. */
  time: string;
}

/** A run directory, read. */
export interface RunData {
  /** The directory as it was given. */
  path: string;
  /** Last part of the path, which distinguishes runs of one model. */
  name: string;
  /** Configuration of the run. */
  config: RunConfig;
  /** Null where `environment.json` is absent. */
  environment: RunEnvironment | null;
  /** Finished epochs in order; of an epoch that was trained again after a resume, the later record. */
  epochs: EpochRecord[];
  /** Logged steps in order, likewise. */
  steps: StepRecord[];
  /** Null where no checkpoint has been evaluated. */
  evaluation: EvaluationRecord | null;
  /** `predictions.png`, or null. */
  predictions: Uint8Array | null;
  /** `mistakes.png`, or null: the wrong predictions the model was surest of. */
  mistakes: Uint8Array | null;
}
