/**
 * What a run says about itself: the lines of `metrics.jsonl` and the contents of `config.json` and
 * `environment.json`. Trainer, run directory and reports share these types and nothing else.
 * @module
 */

import type { Device } from '../tensor/dtype.js';

/** Mean loss and accuracy over a number of images. Accuracy lies between 0 and 1. */
export interface LossAndAccuracy {
  /** Mean over the images. */
  loss: number;
  /** 0 to 1. */
  accuracy: number;
}

/** One logged training step, written every `logEvery` batches (the article: 10). */
export interface StepRecord {
  /** What tells it from the other lines. */
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

/** How one dynamic layer used its experts during an epoch. */
export interface ExpertUsage {
  /** Name of the layer, such as `features.8`. */
  layer: string;
  /** Mean attention of every expert over the training images; sums to 1 with softmax routing. */
  mean: number[];
  /** Mean entropy of the attention in nats, from 0 (one expert alone) to ln(K) (all alike). */
  entropy: number;
}

/** One finished epoch. */
export interface EpochRecord {
  /** What tells it from the other lines. */
  type: 'epoch';
  /** 1-based epoch. */
  epoch: number;
  /** Learning rate the epoch was trained with (of the first parameter group, at the start of the epoch). */
  lr: number;
  /** Softmax temperature of the routing during this epoch; null for a model without dynamic layers. */
  temperature: number | null;
  /** Over the training batches as they were seen: the weights change while these are collected. */
  train: LossAndAccuracy;
  /** Over the whole validation set after the epoch; null where there is none. */
  val: LossAndAccuracy | null;
  /** Wall time of the epoch's training part, in seconds; validation is not counted. */
  seconds: number;
  /** Training images per second. */
  imagesPerSecond: number;
  /** Seconds of `seconds` in which the trainer waited for the loader. */
  dataSeconds: number;
  /** When the epoch ended, ISO 8601. */
  time: string;
  /** Absent for a model without dynamic layers; of a resumed epoch, the part after the resume. */
  experts?: ExpertUsage[] | undefined;
}

/** `evaluation.json`: a checkpoint measured on the test set. */
export interface EvaluationRecord extends LossAndAccuracy {
  /** `best`, `last`, `epoch-<number>`, or the path of a file of weights. */
  checkpoint: string;
  /** Images that were evaluated. */
  images: number;
  /** Loading of the images included. */
  imagesPerSecond: number;
  /** Class names in label order. */
  classes: string[];
  /** Images per true class (row) and predicted class (column). */
  confusion: number[][];
}

/** A line of `metrics.jsonl`. */
export type MetricsRecord = StepRecord | EpochRecord;

/** Numbers of scalars in a model. */
export interface ParameterCounts {
  /** Scalars the optimizer trains. */
  trainable: number;
  /** Running means and variances of batch norm. */
  statistics: number;
  /** Both together: the number the article gives. Temperatures and step counters are not counted. */
  total: number;
}

/** `config.json`: everything that is needed to build the model and repeat the run. */
export interface RunConfig {
  /** Where values came from that the command line did not give. Absent in older runs: 'article'. */
  recipe?: 'article' | 'small' | undefined;
  /** Name for `models.create`. */
  model: string;
  /** Options for `models.create`, such as `{ numClasses: 10, numExperts: 2 }`. */
  modelOptions: Record<string, number | string | boolean>;
  /** How many numbers the model has. */
  parameters: ParameterCounts;
  /** Name for `data.create`; another one where the images come from a custom data set. */
  dataset: string;
  /** Where the data set was read; null for the bundled set. */
  dataDir: string | null;
  /** Class names in label order. */
  classes: string[];
  /** Images of an epoch. */
  trainImages: number;
  /** Images of a validation. */
  valImages: number;
  /**
   * Share of the training images, of every class alike, that are held out to choose the best epoch; null where the test images
   * choose it. Absent in older runs: null.
   */
  valSplit?: number | null | undefined;
  /** [C, H, W] of the images in the data set. */
  imageShape: number[];
  /** Side of the square images the network sees, in pixels. */
  imageSize: number;
  /** Passes over the training images. */
  epochs: number;
  /** Images of a batch. */
  batchSize: number;
  /** Learning rate at the start, or the highest of the schedule. */
  lr: number;
  /** Of SGD. */
  momentum: number;
  /** Factor of the weights in the gradient. */
  weightDecay: number;
  /** Share of the target that all classes have in common, 0 to 1. */
  labelSmoothing: number;
  /** Epochs after which the learning rate is multiplied by `gamma`. */
  milestones: number[];
  /** Factor of the learning rate at a milestone. */
  gamma: number;
  /** Temperature schedule; null for a model without dynamic layers. */
  temperature: { start: number; epochs: number } | null;
  /** Of weights, order and augmentation. */
  seed: number;
  /** Where it was trained. */
  device: Device;
  /** Dtype of the weights. */
  dtype: string;
  /** Training images that were used; null for all. */
  limitTrain: number | null;
  /** Test images that were used; null for all. */
  limitTest: number | null;
  /** The part of a training image that is used. Absent in older runs: 'resized', the article's. */
  crop?: 'resized' | 'padded' | 'none' | undefined;
  /** Pixels around an image before a crop of its own size; null where that is not what happens. */
  padding?: number | null | undefined;
  /** How likely an image is mirrored. Absent: 0.5. */
  flip?: number | undefined;
  /** Strengths for brightness, contrast, saturation and, if given, hue; null for none. */
  colorJitter?: number[] | null | undefined;
  /** How likely an image loses a rectangle; null for never. */
  randomErasing?: number | null | undefined;
  /** The alpha of mixup and of cutmix, and how likely a batch is mixed; null for neither, and for always. */
  mixup?: number | null | undefined;
  /** The alpha of cutmix; null for none. */
  cutmix?: number | null | undefined;
  /** How likely a batch is mixed; null for always. */
  mixProb?: number | null | undefined;
  /** Dtype of the images of a batch. Absent: float32. */
  batchDtype?: 'float32' | 'bfloat16' | undefined;
  /** Layout of the images of a batch. Absent: contiguous. */
  memoryFormat?: 'contiguous' | 'channels-last' | undefined;
  /** Where images are transformed. Absent: on the CPU. */
  augmentOn?: 'cpu' | 'device' | undefined;
  /** How the learning rate goes. Absent in older runs: 'milestones'. */
  schedule?: ScheduleName | undefined;
  /** Epochs over which the learning rate rises from near 0. Absent: 0. */
  warmupEpochs?: number | undefined;
  /** Batches a step of the optimizer. Absent: 1. */
  accumulate?: number | undefined;
  /** Bounds of the gradient; null for none. */
  clipGradNorm?: number | null | undefined;
  /** Bound of every element of the gradient; null for none. */
  clipGradValue?: number | null | undefined;
  /** Decay of the averaged weights, which validation and `best.safetensors` use; null for none. */
  ema?: number | null | undefined;
  /** Dtype of the forward pass where that is safe; null for that of the weights. */
  autocast?: 'bfloat16' | 'float16' | null | undefined;
  /** Whether steps are captured as a CUDA graph. Absent: false. */
  capture?: boolean | undefined;
  /** What the best epoch is chosen by. Absent: 'accuracy'. */
  monitor?: 'accuracy' | 'loss' | undefined;
  /** Validations without improvement after which the training ends; null for none. */
  earlyStopping?: { patience: number; minDelta: number } | null | undefined;
  /** Epochs from one validation to the next. Absent: 1. */
  validateEvery?: number | undefined;
  /** Epochs from one kept checkpoint to the next, and how many of them stay; null for none. */
  keepCheckpoints?: { every: number; last: number } | null | undefined;
  /** Weights the training started from; null for random ones. */
  init?: string | null | undefined;
}

/**
 * Schedules of the learning rate: constant but for drops at milestones; half a cosine to 0; up and down again by a cosine
 * (OneCycleLR); constant. The middle two change at every step.
 */
export type ScheduleName = 'milestones' | 'cosine' | 'one-cycle' | 'constant';

/** `environment.json`: the machine and the versions a run was made with. */
export interface RunEnvironment {
  /** Version of dyconv. */
  dyconv: string;
  /** Of the checkout dyconv runs from, `-dirty` where it was changed; null or absent where it is a package. */
  commit?: string | null | undefined;
  /** Version of Node.js. */
  node: string;
  /** Version of libtorch. */
  libtorch: string;
  /** Operating system and architecture. */
  platform: string;
  /** Name of the CPU, or 'unknown'. */
  cpu: string;
  /** Cores that the process may use. */
  cores: number;
  /** Bytes of memory the machine has. */
  memoryBytes: number;
  /** Threads of libtorch. */
  threads: number;
  /** Where it was trained. */
  device: string;
  /** Instruction set libtorch chose its own kernels for. */
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
  /** Last part of the path: what tells runs of one model apart. */
  name: string;
  /** What the run was made with. */
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
