/**
 * Layers in a row whose keys are names.
 * @module
 */
import { Module } from '../../nn/module.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Calls layers one after another, like Sequential; their keys are the given names. */
export class NamedSequential extends Module {
  [name: string]: unknown;

  constructor(layers: Readonly<Record<string, Module>>) {
    super();
    Object.assign(this, layers);
  }

  forward(input: Tensor): Tensor {
    let output = input;
    for (const [, layer] of this.namedChildren()) output = (layer as unknown as Module).forward(output);
    return output;
  }
}
