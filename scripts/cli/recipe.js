/**
 * Sets of defaults for the options of train.js, and the warning where a data set is too small for the article's.
 * @module
 */

/**
 * What a recipe has in place of the defaults, by the names of the options. `small` was chosen on 1,500 pictures of
 * Fashion-MNIST: docs/training.md has the comparison.
 */
export const RECIPES = /** @type {const} */ ({
  article: {},
  small: {
    epochs: 20,
    batchSize: 32,
    lr: 0.01,
    momentum: 0.9,
    schedule: 'cosine',
    warmupEpochs: 1,
    crop: 'padded',
  },
});

/** An epoch of fewer steps learns next to nothing: most of its time goes by in validation. */
const FEW_STEPS = 10;

/** Puts the values of `--recipe` where the command line says nothing. @param {import('commander').Command} command - After parsing. */
export function applyRecipe(command) {
  const { recipe, ...options } = command.opts();
  const values = RECIPES[/** @type {keyof typeof RECIPES} */ (recipe)];
  for (const [name, value] of Object.entries(values)) {
    if (command.getOptionValueSource(name) === 'default') {
      const fits = name !== 'warmupEpochs' || mayWarmUp({ ...values, ...options, ...given(command) });
      if (fits) command.setOptionValueWithSource(name, value, 'recipe');
    }
  }
}

/** The options on the command line. @param {import('commander').Command} command */
function given(command) {
  const all = Object.entries(command.opts());
  return Object.fromEntries(all.filter(([name]) => command.getOptionValueSource(name) !== 'default'));
}

/** One-cycle rises by itself, and a single epoch has no room. @param {Record<string, any>} options */
function mayWarmUp({ schedule, epochs }) {
  return schedule !== 'one-cycle' && epochs > 1;
}

/**
 * What is wrong with the length of an epoch; null where nothing is.
 * @param {{ trainImages: number, batchSize: number, accumulate?: number, recipe?: string }} config
 */
export function epochWarning({ trainImages, batchSize, accumulate = 1, recipe }) {
  const batches = Math.floor(trainImages / batchSize);
  const steps = Math.ceil(batches / accumulate);
  if (steps >= FEW_STEPS) return null;
  const dropped = trainImages % batchSize;
  const share = ((100 * dropped) / trainImages).toFixed(1);
  const count = (/** @type {number} */ value) => value.toLocaleString('en');
  const parts = [
    `warning: an epoch has ${steps === 1 ? 'only one step' : `only ${steps} steps`}: ` +
      `${count(trainImages)} images in batches of ${batchSize}${accumulate > 1 ? `, ${accumulate} batches a step` : ''}.`,
    dropped > 0 &&
      `The last ${count(dropped)} images (${share} %), too few for a batch, are left out of every epoch.`,
    recipe === 'small'
      ? 'A smaller --batch-size makes more steps.'
      : '--recipe small is made for so few images; a smaller --batch-size makes more steps.',
  ];
  return parts.filter(Boolean).join(' ');
}
