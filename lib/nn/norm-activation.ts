/**
 * Batch norm and activation as one operation while training: the normalized input is not kept for the backward pass, and
 * is read and written once less.
 * @module
 */
import type { NormActivation } from '../native/norm.js';
import { visit } from '../program/visits.js';
import type { Tensor } from '../tensor/tensor.js';
import { Hardsigmoid, Hardswish, ReLU, ReLU6, SiLU } from './activations.js';
import { asForwardOf } from './error-path.js';
import type { Module } from './module.js';
import { BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d } from './norm.js';

const ACTIVATIONS = new Map<unknown, NormActivation>([
  [ReLU, 'relu'],
  [ReLU6, 'relu6'],
  [Hardswish, 'hardswish'],
  [Hardsigmoid, 'hardsigmoid'],
  [SiLU, 'silu'],
]);
const NORMS = new Set<unknown>([BatchNorm1d, BatchNorm2d, BatchNorm3d]);

/** Whether a module has its own forward, as one with hooks does. */
const hasOwnForward = (module: Module): boolean => Object.hasOwn(module, 'forward');

/** Whether both layers are called as their classes define it, and nothing observes their outputs. */
function fusedActivation(norm: Module, activation: Module): NormActivation | undefined {
  if (!norm.training || !NORMS.has(norm.constructor) || visit !== undefined) return undefined;
  const name = ACTIVATIONS.get(activation.constructor);
  return name === undefined || hasOwnForward(norm) || hasOwnForward(activation) ? undefined : name;
}

/** Whether a layer is a batch norm that {@link normActivation} may join with what follows it. */
const isBatchNorm = (layer: Module): boolean => layer instanceof BatchNorm;

/**
 * `activation(norm(input) + shortcut())`.
 * @param input - [B, C, ...]. @param shortcut - Makes a tensor of the shape of the input. Default: nothing is added.
 */
export function normActivation(
  norm: Module,
  activation: Module,
  input: Tensor,
  shortcut?: () => Tensor,
): Tensor {
  const name = fusedActivation(norm, activation);
  if (name !== undefined) {
    const residual = shortcut?.() ?? null;
    return asForwardOf(norm, () => (norm as BatchNorm).forwardActivated(input, residual, name));
  }
  const normalized = norm.forward(input);
  return activation.forward(shortcut === undefined ? normalized : normalized.add(shortcut()));
}

/** The output of the last of several layers, each of which gets the output of the one before it. */
export function forwardInOrder(layers: readonly Module[], input: Tensor): Tensor {
  let x = input;
  for (let i = 0; i < layers.length; i++) {
    const layer = layers[i]!;
    const next = layers[i + 1];
    if (next !== undefined && isBatchNorm(layer)) {
      x = normActivation(layer, next, x);
      i++;
    } else x = layer.forward(x);
  }
  return x;
}
