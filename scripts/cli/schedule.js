/**
 * The learning-rate schedule of a run.
 * @module
 */
import { optim } from '../../dist/index.js';

/** @import { Draft } from './config.js' */

/**
 * The scheduler of a run and when it steps. Values that change within an epoch depend only on the step, so that a
 * resumed run continues exactly.
 * @param {import('../../dist/index.js').optim.Optimizer} optimizer
 * @param {Draft} config
 * @param {number} batches - Of an epoch.
 * @returns {{ scheduler: import('../../dist/index.js').optim.lr.LRScheduler | undefined, schedulerInterval: 'epoch' | 'step' }}
 */
export function createScheduler(optimizer, config, batches) {
  const { schedule = 'milestones', warmupEpochs = 0, accumulate = 1, epochs, milestones, gamma, lr } = config;
  const stepsPerEpoch = Math.ceil(batches / accumulate);
  const total = epochs * stepsPerEpoch;
  if (schedule === 'one-cycle') {
    const scheduler = new optim.lr.OneCycleLR(optimizer, {
      maxLr: lr,
      totalSteps: total,
      cycleMomentum: false, // keeps the choice of the run
    });
    return { scheduler, schedulerInterval: 'step' };
  }
  if (schedule === 'milestones' && warmupEpochs === 0) {
    const scheduler = new optim.lr.MultiStepLR(optimizer, { milestones, gamma });
    return { scheduler, schedulerInterval: 'epoch' };
  }
  if (schedule === 'constant' && warmupEpochs === 0) {
    return { scheduler: undefined, schedulerInterval: 'epoch' };
  }
  const rise = Math.round(warmupEpochs * stepsPerEpoch);
  /** @type {Record<'milestones' | 'cosine' | 'constant', (step: number) => number>} */
  const factors = {
    milestones: (step) => gamma ** milestones.filter((epoch) => step >= epoch * stepsPerEpoch).length,
    cosine: (step) => (1 + Math.cos(Math.PI * Math.min(1, (step - rise) / Math.max(1, total - rise)))) / 2,
    constant: () => 1,
  };
  const factor = factors[schedule];
  const lrLambda = (/** @type {number} */ step) => (step < rise ? (step + 1) / rise : factor(step));
  return { scheduler: new optim.lr.LambdaLR(optimizer, { lrLambda }), schedulerInterval: 'step' };
}
