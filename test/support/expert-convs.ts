/**
 * What the tests of dynamic layers share.
 * @module
 */
import { expect } from 'vitest';
import { autograd, type nn, noGrad, randn, type Tensor } from '../../lib/index.js';
import type { Geometry } from './expert-conv-reference.js';

export const float64 = { dtype: 'float64' } as const;

/** Gives all parameters and statistics of a layer random values. */
export function randomise<L extends nn.AnyModule>(layer: L): L {
  noGrad(() => {
    for (const [, parameter] of layer.namedParameters())
      parameter.copy_(randn([...parameter.shape], { dtype: parameter.dtype }));
    for (const [key, buffer] of layer.namedBuffers()) {
      if (key.endsWith('running_mean')) buffer.copy_(randn([...buffer.shape]));
      if (key.endsWith('running_var'))
        buffer.copy_(
          randn([...buffer.shape])
            .square()
            .add(0.5),
        );
    }
  });
  return layer;
}

export const geometry = (dimensions: number, given: Partial<Geometry> = {}): Geometry => {
  const fill = (value: number) => new Array<number>(dimensions).fill(value);
  return { stride: fill(1), padding: fill(0), dilation: fill(1), groups: 1, ...given };
};

export const shapes = (module: nn.Module<never[], unknown>) =>
  Object.fromEntries(Object.entries(module.stateDict()).map(([key, { shape }]) => [key, shape]));

/** The gradients of a layer in its input and all its parameters. */
export function checkGradients(layer: nn.Module, input: Tensor): void {
  const parameters = [...layer.parameters()];
  expect(autograd.gradcheck((x: Tensor) => layer.forward(x), [input, ...parameters])).toBe(true);
}
