/**
 * What schedulers ask of an optimizer.
 * @module
 */
import { invalidArgument } from '../errors.js';
import type { Optimizer } from './optimizer.js';

/** The part of an optimizer that schedulers change. */
export type Scheduled = Pick<Optimizer, 'paramGroups'>;

/** Checks what a scheduler is given to change. */
export function checkScheduled(optimizer: Scheduled): Scheduled {
  const groups: unknown = (optimizer as Scheduled | null | undefined)?.paramGroups;
  const isGroup = (group: unknown) => typeof (group as { lr?: unknown } | null)?.lr === 'number';
  if (!Array.isArray(groups) || !groups.every(isGroup))
    throw invalidArgument('optimizer', 'an Optimizer', optimizer);
  return optimizer;
}
