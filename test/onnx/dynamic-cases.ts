/** Dynamic convolutions in the forms that they have in ONNX files: see lib/onnx/operations/dynamic-conv.ts. */
import { DynamicConv2d, functional as F, nn, randn, type Tensor } from '../../lib/index.js';
import type { Case } from './cases.js';

/** Convolutions with so many pixels and experts that their kernels are mixed. */
class MixedKernels extends nn.Module<[Tensor], Tensor> {
  wide = new DynamicConv2d(4, 6, [3, 2], {
    padding: [2, 1],
    stride: [2, 1],
    dilation: [1, 2],
    numExperts: 4,
  });
  pointwise = new DynamicConv2d(6, 5, 1, { numExperts: 2, bias: false });
  strided = new DynamicConv2d(5, 8, 1, { numExperts: 3, stride: 2, padding: 1 });
  unpadded = new DynamicConv2d(8, 4, 3, { numExperts: 5, routing: 'sigmoid' });

  forward(x: Tensor): Tensor {
    const y = this.pointwise.forward(this.wide.forward(x).relu());
    return this.unpadded.forward(this.strided.forward(y).relu());
  }
}

export const DYNAMIC_FORMS: Readonly<Record<string, Case>> = {
  'dynamic depthwise convolution': {
    make: () =>
      new nn.Sequential(
        new DynamicConv2d(4, 4, [3, 5], { groups: 4, stride: [2, 1], padding: [1, 2], numExperts: 3 }),
        new DynamicConv2d(4, 4, 3, { groups: 4, bias: false, routing: 'sigmoid', numExperts: 2 }),
        new DynamicConv2d(4, 4, 3, { groups: 4, dilation: 2, padding: 2, numExperts: 1 }),
      ).eval(),
    inputs: (batch) => [randn([batch, 4, 11, 9])],
  },
  'dynamic convolution with mixed kernels': {
    make: () => new MixedKernels().eval(),
    inputs: (batch) => [randn([batch, 4, 23, 21])],
  },
  'dynamic convolution with mixed kernels of any size': {
    make: () => new MixedKernels().eval(),
    inputs: (batch) => [randn([batch, 4, 23 + 2 * batch, 21])],
    options: { dynamicSize: true },
  },
  'dynamic convolution with computed kernels': {
    make: () => {
      const layer = new DynamicConv2d(3, 4, 3, { numExperts: 3, padding: 1 });
      return (x) => {
        const { routing, weight, bias } = layer;
        return F.dynamicConv2d(x, weight.mul(x.mean()), routing.forward(x), bias, { padding: 1 });
      };
    },
    inputs: (batch) => [randn([batch, 3, 9, 8])],
  },
};
