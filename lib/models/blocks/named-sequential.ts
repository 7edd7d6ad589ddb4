/**
 * Layers in a row whose keys are names.
 * @module
 */
import { Module } from '../../nn/module.js';
import { forwardInOrder } from '../../nn/norm-activation.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Calls layers one after another, like Sequential; their keys are the given names. */
export class NamedSequential extends Module {
  [name: string]: unknown;

  constructor(layers: Readonly<Record<string, Module>>) {
    super();
    Object.assign(this, layers);
  }

  forward(input: Tensor): Tensor {
    return forwardInOrder(
      Array.from(this.namedChildren(), ([, layer]) => layer as unknown as Module),
      input,
    );
  }
}
