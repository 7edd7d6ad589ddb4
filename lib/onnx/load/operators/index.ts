/**
 * All operators that are known.
 * @module
 */
import type { Operators } from '../node.js';
import { ACTIVATION } from './activation.js';
import { CONV } from './conv.js';
import { ELEMENTWISE } from './elementwise.js';
import { INDEXING } from './indexing.js';
import { LINEAR } from './linear.js';
import { NORM } from './norm.js';
import { POOL } from './pool.js';
import { QUANTIZATION } from './quantization.js';
import { RECURRENT } from './recurrent.js';
import { REDUCE } from './reduce.js';
import { RESIZE } from './resize.js';
import { SHAPE } from './shape.js';

export { HOST } from './host.js';

/** Operators of the domain of ONNX by name. */
export const OPERATORS: Operators = {
  ...ACTIVATION,
  ...CONV,
  ...ELEMENTWISE,
  ...INDEXING,
  ...LINEAR,
  ...NORM,
  ...POOL,
  ...QUANTIZATION,
  ...RECURRENT,
  ...REDUCE,
  ...RESIZE,
  ...SHAPE,
};
