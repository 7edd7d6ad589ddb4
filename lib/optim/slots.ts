/**
 * State tensors of optimizers, and how they are read from a saved state.
 * @module
 */
import { CheckpointError, DeviceError, DTypeError, invalidArgument, ShapeError } from '../errors.js';
import { noGrad } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';

/** State tensors of the parameters of a group by name; null for a parameter that has had no gradient yet. */
export type Slots = Record<string, (Tensor | null)[]>;

/** State of a parameter: tensors of the parameter's shape; `step` and `mu_product` have one number each. */
export type SlotName =
  | 'step'
  | 'momentum_buffer'
  | 'exp_avg'
  | 'exp_avg_sq'
  | 'max_exp_avg_sq'
  | 'square_avg'
  | 'grad_avg'
  | 'sum'
  | 'acc_delta'
  | 'exp_inf'
  | 'mu_product'
  | 'prev'
  | 'step_size';

/** State of one float32 number. */
export const isNumber = (name: string) => name === 'step' || name === 'mu_product';

/**
 * Checks a tensor of a saved state: its key, `<parameter>.<name>`, and its shape.
 * @throws CheckpointError for a key or a shape that fits no parameter.
 */
export function checkSaved(
  key: string,
  tensor: Tensor,
  parameters: readonly Tensor[],
  names: readonly string[],
): void {
  if (!isTensor(tensor)) throw invalidArgument(`tensors['${key}']`, 'a Tensor', tensor);
  const [, index, name = ''] = /^(\d+)\.(.+)$/.exec(key) ?? [];
  const parameter = index === undefined ? undefined : parameters[Number(index)];
  if (parameter === undefined || !names.includes(name)) {
    throw new CheckpointError(
      `Expected state of ${parameters.length} parameters (${names.join(', ')}) by <parameter>.<name> but received ${key}`,
    );
  }
  const expected = isNumber(name) ? [] : parameter.shape;
  if (String(tensor.shape) !== String(expected) || tensor.ndim !== expected.length) {
    throw new CheckpointError(
      `Expected shape [${expected.join(', ')}] for ${key} of the optimizer state but received [${tensor.shape.join(', ')}]`,
    );
  }
}

/**
 * Checks a gradient or a state before a step that is made of tensor operations, as native steps check theirs.
 * @throws ShapeError, DTypeError or DeviceError that names it.
 */
export function checkFits(parameter: Tensor, tensor: Tensor, name: string): void {
  const mismatch = (expected: string, received: string) =>
    `Expected ${expected}, as the parameter has, for ${name} but received ${received}`;
  const [shape, own] = [parameter, tensor].map((one) => `[${one.shape.join(', ')}]`) as [string, string];
  if (shape !== own) throw new ShapeError(mismatch(`shape ${shape}`, own));
  if (parameter.dtype !== tensor.dtype) throw new DTypeError(mismatch(parameter.dtype, tensor.dtype));
  if (parameter.device !== tensor.device) throw new DeviceError(mismatch(parameter.device, tensor.device));
}

/** Converts a saved tensor to the state of a parameter. */
export function copied(name: string, parameter: Tensor, saved: Tensor): Tensor {
  if (!isNumber(name)) return native.copiedState(parameter, saved);
  return noGrad(() => zeros([], { device: parameter.device }).copy_(saved));
}
