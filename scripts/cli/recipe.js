/**
 * Sets of default values for the options of train.js, and the warning if a data set is too small for the article's.
 * @module
 */

/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { TrainOptions } from './train-options.js' */

/**
 * The default values that a recipe replaces. `small` was chosen on 1,500 images of Fashion-MNIST: docs/training.md has the
 * comparison, and the sources of the others.
 * @satisfies {Record<TrainOptions['recipe'], Partial<TrainOptions>>}
 */
export const RECIPES = {
  article: {},
  small: {
    epochs: 20,
    batchSize: 32,
    lr: 0.01,
    momentum: 0.9,
    schedule: /** @type {const} */ ('cosine'),
    warmupEpochs: 1,
    crop: /** @type {const} */ ('padded'),
  },
  'mobilenetv3-dy': {
    model: /** @type {const} */ ('mobilenet_v3_small_dy'),
    epochs: 300,
    batchSize: 256,
    lr: 0.1,
    momentum: 0.9,
    weightDecay: 3e-5,
    schedule: /** @type {const} */ ('cosine'),
    labelSmoothing: 0.1,
    ema: 0.9999,
    temperature: 30,
    temperatureEpochs: 10,
    numExperts: 4,
  },
};

/** In an epoch of fewer steps, validation takes most of the time. */
const FEW_STEPS = 10;

/**
 * PyTorch's defaults of the optimizers; recipes are for SGD.
 * @satisfies {Record<Exclude<TrainOptions['optimizer'], 'sgd'>, Pick<TrainOptions, 'lr' | 'momentum' | 'weightDecay'>>}
 */
const OPTIMIZER_DEFAULTS = {
  adam: { lr: 1e-3, momentum: 0, weightDecay: 0 },
  adamw: { lr: 1e-3, momentum: 0, weightDecay: 1e-2 },
  rmsprop: { lr: 1e-2, momentum: 0, weightDecay: 0 },
};

/** @param {TrainOptions} options @param {ReadonlySet<keyof TrainOptions>} given @returns {TrainOptions} */
function withOptimizer(options, given) {
  if (options.optimizer === 'sgd') return options;
  const defaults = OPTIMIZER_DEFAULTS[options.optimizer];
  const names = /** @type {(keyof typeof defaults)[]} */ (Object.keys(defaults));
  const missing = names.filter((name) => !given.has(name)).map((name) => [name, defaults[name]]);
  return { ...options, ...Object.fromEntries(missing) };
}

/**
 * The options with the values of `--recipe` for what the command line does not give.
 * @param {TrainOptions} options
 * @param {ReadonlySet<keyof TrainOptions>} given - Options on the command line.
 * @returns {TrainOptions}
 */
export function applyRecipe(options, given) {
  /** @type {Partial<TrainOptions>} */
  const recipe = RECIPES[options.recipe];
  const missing = Object.entries(recipe).filter(
    ([name]) => !given.has(/** @type {keyof TrainOptions} */ (name)),
  );
  const applied = withOptimizer({ ...options, ...Object.fromEntries(missing) }, given);
  // The recipe's warm-up must not be an error: one-cycle includes one, and a single epoch has no room for it.
  const mayWarmUp = applied.schedule !== 'one-cycle' && applied.epochs > 1;
  return given.has('warmupEpochs') || mayWarmUp ? applied : { ...applied, warmupEpochs: 0 };
}

/**
 * The warning about short epochs; null if they are long enough.
 * @param {Pick<RunConfig, 'trainImages' | 'batchSize' | 'accumulate' | 'recipe'>} config
 */
export function epochWarning({ trainImages, batchSize, accumulate = 1, recipe }) {
  const batches = Math.floor(trainImages / batchSize);
  const steps = Math.ceil(batches / accumulate);
  if (steps >= FEW_STEPS) return null;
  const dropped = trainImages % batchSize;
  const share = ((100 * dropped) / trainImages).toFixed(1);
  const count = (/** @type {number} */ value) => value.toLocaleString('en');
  const parts = [
    `warning: an epoch has only ${steps} step${steps === 1 ? '' : 's'}: ${count(trainImages)} images in batches of ${batchSize}${accumulate > 1 ? `, ${accumulate} batches per step` : ''}.`,
    dropped > 0 &&
      `The last ${dropped === 1 ? 'image' : `${count(dropped)} images`} (${share} %) of every epoch, an incomplete batch, ${dropped === 1 ? 'is' : 'are'} not used.`,
    recipe === 'small'
      ? 'Use a smaller --batch-size for more steps.'
      : 'Use --recipe small, which is for small data sets, or a smaller --batch-size for more steps.',
  ];
  return parts.filter(Boolean).join(' ');
}
