/**
 * Normalization.
 * @module
 */
import * as F from '../../../ops/norm.js';
import { where } from '../../../tensor/comparison.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, fromStart, type NodeSpec, type Operators, type Result } from '../node.js';

/**
 * In training mode with the statistics of the batch, as PyTorch's layer, regardless of the file. ONNX weights the running statistics by its
 * momentum, PyTorch the batch.
 */
function batchNorm(node: NodeSpec) {
  const [eps, momentum] = [node.float('epsilon', 1e-5), 1 - node.float('momentum', 0.9)];
  const statistics = node.hasOutput(1);
  return (call: Call): Result => {
    const [x, weight, bias, runningMean, runningVar] = [0, 1, 2, 3, 4].map((i) => call.tensor(i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const { training } = call;
    const y = F.batchNorm(x, { weight, bias, runningMean, runningVar, training, momentum, eps });
    return statistics ? [y, runningMean, runningVar] : y;
  };
}

/** A scale and a shift of the normalized dimensions, which may be broadcast. */
function layerNorm(node: NodeSpec) {
  const [axis, eps] = [node.int('axis', -1), node.float('epsilon', 1e-5)];
  const statistics = node.hasOutput(1) || node.hasOutput(2);
  const normalized = (call: Call, shape: number[]): Tensor => {
    const [x, weight, bias] = [call.tensor(0), call.tensor(1), call.optional(2)];
    const fits = (one: Tensor | null) => one === null || String(one.shape) === String(shape);
    if (fits(weight) && fits(bias)) return F.layerNorm(x, shape, { weight, bias, eps });
    const scaled = F.layerNorm(x, shape, { eps }).mul(weight);
    return bias === null ? scaled : scaled.add(bias);
  };
  return (call: Call): Result => {
    const x = call.tensor(0);
    const first = fromStart(axis, x.ndim);
    const y = normalized(call, x.shape.slice(first));
    if (!statistics) return y;
    const dim = x.shape.slice(first).map((_, i) => first + i);
    const { mean, var: variance } = x.varMean({ dim, correction: 0, keepdim: true });
    return [y, mean, variance.add(eps).rsqrt()];
  };
}

function instanceNorm(node: NodeSpec) {
  const eps = node.float('epsilon', 1e-5);
  return (call: Call): Tensor =>
    F.instanceNorm(call.tensor(0), {
      weight: call.tensor(1),
      bias: call.tensor(2),
      eps,
      useInputStats: true,
    });
}

/** Scale and shift of each group before opset 21, of each channel since. */
function groupNorm(node: NodeSpec) {
  const [groups, eps] = [node.int('num_groups', 1), node.float('epsilon', 1e-5)];
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const copies = node.opset < 21 ? x.shape[1]! / groups : 1;
    const [weight, bias] = [1, 2].map((i) => {
      const given = call.tensor(i);
      return copies === 1 ? given : given.repeatInterleave(copies);
    });
    return F.groupNorm(x, groups, { weight, bias, eps });
  };
}

function localResponseNorm(node: NodeSpec) {
  const size = node.int('size', 0);
  if (size % 2 === 0) node.fail(`has ${size} neighboring channels, an even number`);
  const settings = {
    alpha: node.float('alpha', 1e-4),
    beta: node.float('beta', 0.75),
    k: node.float('bias', 1),
  };
  return (call: Call): Tensor => F.localResponseNorm(call.tensor(0), size, settings);
}

function lpNorm(node: NodeSpec) {
  const [axis, p] = [node.int('axis', -1), node.int('p', 2)];
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const norm = x.norm({ p, dim: fromStart(axis, x.ndim), keepdim: true });
    return x.div(where(norm.eq(0), 1, norm));
  };
}

export const NORM: Operators = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LRN: localResponseNorm,
  LpNormalization: lpNorm,
};
