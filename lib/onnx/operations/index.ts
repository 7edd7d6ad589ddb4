/**
 * How each operation is expressed in ONNX. A change in place is expressed like the operation without it.
 * @module
 */
import type { Translation, Translations } from '../step.js';
import { ACTIVATION } from './activation.js';
import { ARITHMETIC, COMPARISON } from './arithmetic.js';
import { CONV } from './conv.js';
import { INDEXING } from './indexing.js';
import { LINEAR } from './linear.js';
import { NORM } from './norm.js';
import { POOL } from './pool.js';
import { RECURRENT } from './recurrent.js';
import { REDUCE } from './reduce.js';
import { RESIZE } from './resize.js';
import { SHAPE } from './shape.js';

const ALL: Translations = {
  ...ARITHMETIC,
  ...COMPARISON,
  ...ACTIVATION,
  ...CONV,
  ...POOL,
  ...LINEAR,
  ...NORM,
  ...REDUCE,
  ...RECURRENT,
  ...RESIZE,
  ...SHAPE,
  ...INDEXING,
};

/** The translation of an operation; undefined for one that ONNX has no form of. */
export function translationOf(operation: string): Translation | undefined {
  const name = operation.replace(/InPlace$/, '');
  return Object.hasOwn(ALL, name) ? ALL[name] : undefined;
}
