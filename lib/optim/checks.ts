/**
 * Common checks of optimizers.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** Range of learning rates, weight decay and similar options. */
export const NON_NEGATIVE = { min: 0 };

/** Checks boolean options. */
export function checkFlags<Options extends object>(
  options: Options,
  ...names: (keyof Options & string)[]
): void {
  for (const name of names) {
    if (typeof options[name] !== 'boolean') throw invalidArgument(name, 'a boolean', options[name]);
  }
}

/** Checks the decays of the averages of Adam and its relatives. */
export function checkBetas(betas: unknown): void {
  if (!Array.isArray(betas) || betas.length !== 2 || !betas.every((beta) => beta >= 0 && beta < 1))
    throw invalidArgument('betas', 'two numbers from 0 to below 1', betas);
}
