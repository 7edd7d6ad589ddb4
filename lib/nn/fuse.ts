/**
 * Batch norm folded into the convolutions and linear layers before it.
 * @module
 */
import { ArgumentError, invalidArgument, ShapeError } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { DynamicConv2d } from './dynamic-conv.js';
import { Conv2d } from './layers.js';
import { Module } from './module.js';
import { BatchNorm2d } from './norm.js';
import { Identity, Sequential } from './simple.js';

/** Scale and shift of a batch norm in evaluation mode, [C] each. */
function scaleAndShift(norm: BatchNorm2d): { scale: Tensor; shift: Tensor } {
  const { runningMean, runningVar, weight, bias, eps } = norm;
  if (runningMean === null || runningVar === null) {
    throw new ArgumentError('Expected a BatchNorm2d with running statistics for norm');
  }
  const inverse = runningVar.add(eps).rsqrt();
  const scale = weight === null ? inverse : inverse.mul(weight);
  const shift = runningMean.mul(scale).neg();
  return { scale, shift: bias === null ? shift : shift.add(bias) };
}

/**
 * Folds a batch norm into the convolution before it, in place: in evaluation mode `conv` then computes both. For a
 * dynamic layer every expert is scaled and shifted; that is exact because softmax attention sums to 1.
 * @param conv - Must have a bias. Its parameters are changed in place.
 * @param norm - Of as many features as conv has output channels, with running statistics; not changed.
 * @throws ArgumentError for sigmoid routing (its attention does not sum to 1), or a conv without bias.
 * @throws ShapeError when the sizes do not agree.
 */
export function foldBatchNorm<C extends Conv2d | DynamicConv2d>(conv: C, norm: BatchNorm2d): C {
  if (!(conv instanceof Conv2d || conv instanceof DynamicConv2d))
    throw invalidArgument('conv', 'a Conv2d or a DynamicConv2d', conv);
  if (!(norm instanceof BatchNorm2d)) throw invalidArgument('norm', 'a BatchNorm2d', norm);
  if (conv.outChannels !== norm.numFeatures) {
    throw new ShapeError(
      `Expected a BatchNorm2d of ${conv.outChannels} features for norm but received one of ${norm.numFeatures}`,
    );
  }
  if (conv.bias === null)
    throw new ArgumentError('Expected a layer with bias for conv: the shift has to go there');
  if (conv instanceof DynamicConv2d && conv.routing.kind !== 'softmax') {
    throw new ArgumentError(
      "Expected softmax routing for conv but received 'sigmoid': its attention does not sum to 1",
    );
  }
  const { weight, bias } = conv;
  tidy(() =>
    noGrad(() => {
      const { scale, shift } = scaleAndShift(norm);
      // Output channels are the dimension before the last three, and the last of the bias.
      weight.mul_(scale.reshape([-1, 1, 1, 1]));
      bias.mul_(scale).add_(shift);
    }),
  );
  return conv;
}

/**
 * Folds every batch norm of the network's Sequentials into the convolution right before it, for evaluation: the norms
 * become Identity. Norms after layers without bias or with sigmoid routing are kept.
 * @returns The number of folded norms.
 * @example nn.fuse(model.eval());
 */
export function fuse(model: Module): number {
  if (!(model instanceof Module)) throw invalidArgument('model', 'a Module', model);
  let folded = 0;
  for (const [, module] of model.namedModules()) {
    if (!((module as unknown) instanceof Sequential)) continue;
    const layers = module as unknown as Sequential;
    for (let i = 1; i < layers.length; i++) {
      const [conv, norm] = [layers.at(i - 1), layers.at(i)];
      const foldable =
        (conv instanceof Conv2d || (conv instanceof DynamicConv2d && conv.routing.kind === 'softmax')) &&
        conv.bias !== null &&
        norm instanceof BatchNorm2d &&
        norm.runningMean !== null;
      if (!foldable) continue;
      foldBatchNorm(conv, norm);
      layers.replace(i, new Identity());
      folded++;
    }
  }
  return folded;
}
