/**
 * Checks of arguments that must be tensors.
 * @module
 */
import { invalidArgument } from '../errors.js';
import { native, type Tensor } from './core.js';

/** Checks that an argument is a Tensor of this thread. */
export function checkTensor(name: string, value: Tensor): Tensor {
  if (!native.isTensor(value)) throw invalidArgument(name, 'a Tensor', value);
  return value;
}

/** The sizes of an argument that must be a Tensor. */
export function checkShape(name: string, value: Tensor): number[] {
  return native.shape(checkTensor(name, value));
}
