/**
 * Rprop. A step consists of tensor operations for each parameter.
 * @module
 */
import { number } from '../check/arguments.js';
import { type PartialOptions, withDefaults } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { checkFlags, NON_NEGATIVE } from './checks.js';
import { Optimizer, type OptimizerGroup, type Params, type SlotName, type Slots } from './optimizer.js';
import { checkFits } from './slots.js';

/** Options of {@link Rprop}. */
export interface RpropOptions {
  /** The first step size of every element. Default 1e-2. */
  lr: number;
  /** Factors on the step size: below 1 where the gradient changes its sign, above 1 where it keeps it. Default [0.5, 1.2]. */
  etas: readonly [number, number];
  /** The smallest and the largest step size. Default [1e-6, 50]. */
  stepSizes: readonly [number, number];
  /** Maximize the objective instead of minimizing it. Default false. */
  maximize: boolean;
}

const RPROP_DEFAULTS: RpropOptions = { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false };

/**
 * Resilient backpropagation: a step size for each element, changed only by the signs of its gradients. For gradients of
 * the whole data set, not of batches.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(params: Params<RpropOptions>, options: PartialOptions<RpropOptions> = {}) {
    super(params, withDefaults(RPROP_DEFAULTS, options));
  }

  protected check(options: RpropOptions): void {
    const { lr, etas, stepSizes } = options;
    number('lr', lr, NON_NEGATIVE);
    if (!isPair(etas) || !(etas[0] > 0 && etas[0] < 1 && etas[1] > 1))
      throw invalidArgument('etas', 'a number from 0 to 1 and one above 1', etas);
    if (!isPair(stepSizes)) throw invalidArgument('stepSizes', 'two numbers', stepSizes);
    checkFlags(options, 'maximize');
  }

  protected get slotNames(): readonly SlotName[] {
    return ['prev', 'step_size'];
  }

  protected slotsOf(): readonly SlotName[] {
    return this.slotNames;
  }

  protected override initialValue(name: SlotName, group: OptimizerGroup<RpropOptions>): number {
    return name === 'step_size' ? group.lr : 0;
  }

  protected stepGroup(group: OptimizerGroup<RpropOptions>, slots: Slots): void {
    const rows = native.withGradient(group.params).map((i) => {
      const row = {
        parameter: group.params[i]!,
        gradient: group.params[i]!.grad!,
        previous: slots.prev![i]!,
        stepSize: slots.step_size![i]!,
      };
      checkFits(row.parameter, row.gradient, `the gradient of parameter ${i}`);
      checkFits(row.parameter, row.previous, `prev of parameter ${i}`);
      checkFits(row.parameter, row.stepSize, `step_size of parameter ${i}`);
      return row;
    });
    noGrad(() => {
      for (const row of rows) tidy(() => stepOf(row, group));
    });
  }
}

const isPair = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((one) => Number.isFinite(one));

/** A parameter and what is kept of it, of one shape. */
interface Row {
  parameter: Tensor;
  gradient: Tensor;
  previous: Tensor;
  stepSize: Tensor;
}

function stepOf({ parameter, gradient: given, previous, stepSize }: Row, options: RpropOptions): void {
  const { etas, stepSizes, maximize } = options;
  const gradient = maximize ? given.neg() : given;
  const agreement = gradient.mul(previous);
  const turned = agreement.lt(0);
  const factor = agreement.sign().maskedFill(agreement.gt(0), etas[1]).maskedFill(turned, etas[0]);
  stepSize.mul_(factor.maskedFill(agreement.eq(0), 1)).clamp_({ min: stepSizes[0], max: stepSizes[1] });
  // If the sign has changed, the element is not updated and the next step restarts.
  const used = gradient.maskedFill(turned, 0);
  parameter.addcmul_(used.sign(), stepSize, { value: -1 });
  previous.copy_(used);
}
