/**
 * Common code of losses.
 * @module
 */
import { oneOf } from '../check/arguments.js';

/** Reduction of the losses of the elements. */
export type Reduction = 'none' | 'mean' | 'sum';

/** Options of every loss. */
export interface LossOptions {
  /** Default `'mean'`. */
  reduction?: Reduction | undefined;
}

/** The requested reduction, checked. */
export const reductionOf = (options: LossOptions): Reduction =>
  oneOf('reduction', ['none', 'mean', 'sum'], options.reduction ?? 'mean');
