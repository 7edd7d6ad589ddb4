/**
 * Activations. The others are functions of the functional interface.
 * @see https://pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Tensor } from './core.js';
import type { DType } from './dtype.js';

const DIM_DTYPE = optionKeys('dim', 'dtype');

/** Options of the softmax family. */
export interface SoftmaxOptions {
  /** Default -1. */
  dim?: number | undefined;
  /** The elements are converted to it first, and the result has it. Default: the tensor's own. */
  dtype?: DType | undefined;
}

/** Activations. */
export abstract class ActivationMethods {
  /** max(this, 0). */
  relu(this: Tensor): Tensor {
    return native.relu(this);
  }
  /** In place: max(this, 0). */
  relu_(this: Tensor): Tensor {
    native.reluInPlace(this).dispose();
    return this;
  }
  /** exp(this) / sum(exp(this)) along `dim`. @param options.dim - Default -1. @param options.dtype - The tensor is converted to it first. Default: its own. */
  softmax(this: Tensor, options: SoftmaxOptions = {}): Tensor {
    const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
    return native.softmax(this, dim, dtype);
  }
  /** log(softmax(this)), computed without overflow. @param options.dim - Default -1. */
  logSoftmax(this: Tensor, options: SoftmaxOptions = {}): Tensor {
    const { dim = -1, dtype } = checkOptions(options, DIM_DTYPE);
    return native.logSoftmax(this, dim, dtype);
  }
}
