/**
 * Activation functions, and dropout.
 * @module
 */
import * as F from '../../../ops/activation.js';
import { where } from '../../../tensor/comparison.js';
import { onesLike } from '../../../tensor/create.js';
import { isFloatingPoint } from '../../../tensor/dtype.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { type Call, fromStart, type NodeSpec, type Operators, type Result } from '../node.js';
import { unary } from './elementwise.js';

/** Attributes are float32: 1 / 6 is not the number of the file. */
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

function selu(node: NodeSpec) {
  const [alpha, gamma] = [node.float('alpha', 1.6732632), node.float('gamma', 1.050701)];
  if (near(alpha, 1.6732632) && near(gamma, 1.050701)) return (call: Call) => F.selu(call.tensor(0));
  return (call: Call) => F.elu(call.tensor(0), { alpha }).mul(gamma);
}

function hardSigmoid(node: NodeSpec) {
  const [alpha, beta] = [node.float('alpha', 0.2), node.float('beta', 0.5)];
  if (near(alpha, 1 / 6) && near(beta, 0.5)) return (call: Call) => F.hardsigmoid(call.tensor(0));
  return (call: Call) => call.tensor(0).mul(alpha).add(beta).clamp({ min: 0, max: 1 });
}

/** Both bounds may be absent. Two numbers are hardtanh, whose gradient at a bound is 0 as that of ReLU6. */
function clip(call: Call): Tensor {
  const x = call.tensor(0);
  const [low, high] = [1, 2].map((i) => (call.has(i) ? call.operand(i, x) : undefined));
  if (typeof low === 'number' && typeof high === 'number' && low < high && isFloatingPoint(x.dtype))
    return F.hardtanh(x, { minVal: low, maxVal: high });
  const above = low === undefined ? x : x.clampMin(low);
  return high === undefined ? above : above.clampMax(high);
}

function shrink(node: NodeSpec) {
  const [lambda, bias] = [node.float('lambd', 0.5), node.float('bias', 0)];
  if (bias === 0) return (call: Call) => F.hardshrink(call.tensor(0), { lambda });
  if (bias === lambda) return (call: Call) => F.softshrink(call.tensor(0), { lambda });
  return (call: Call) => {
    const x = call.tensor(0);
    return where(x.lt(-lambda), x.add(bias), where(x.gt(lambda), x.sub(bias), 0));
  };
}

/** The slope is broadcast: one for all, one for each channel, or of any shape. */
function prelu(call: Call): Tensor {
  const [x, slope] = [call.tensor(0), call.tensor(1)];
  const perChannel =
    x.ndim >= 2 &&
    slope.numel === x.shape[1] &&
    (slope.ndim === x.ndim ? slope.shape[1] : slope.ndim === x.ndim - 1 ? slope.shape[0] : 0) === slope.numel;
  if (slope.numel === 1 || perChannel) return F.prelu(x, slope.reshape([-1]));
  return where(x.gt(0), x, x.mul(slope));
}

function gelu(node: NodeSpec) {
  const approximate = node.choice('approximate', 'none', ['none', 'tanh']);
  return (call: Call) => F.gelu(call.tensor(0), { approximate });
}

function hardmax(node: NodeSpec) {
  const axis = node.int('axis', -1);
  return (call: Call) => {
    const x = call.tensor(0);
    const dim = fromStart(axis, x.ndim);
    return x.mul(0).scatter(dim, x.argmax({ dim, keepdim: true }), 1);
  };
}

/** As PyTorch's: random only in training mode, regardless of the file. The second output is the mask. */
function dropout(node: NodeSpec) {
  const ratio = node.hasInput(1) ? undefined : 0.5;
  const masked = node.hasOutput(1);
  return (call: Call): Result => {
    const x = call.tensor(0);
    const p = ratio ?? call.number(1);
    if (!masked) return call.training ? F.dropout(x, { p, training: true }) : x;
    const kept = F.dropout(onesLike(x), { p, training: call.training });
    return [x.mul(kept), kept.ne(0)];
  };
}

export const ACTIVATION: Operators = {
  Relu: unary(F.relu),
  Sigmoid: unary(F.sigmoid),
  Tanh: unary(F.tanh),
  Softplus: unary((x) => F.softplus(x)),
  Softsign: unary(F.softsign),
  HardSwish: unary(F.hardswish),
  Mish: unary(F.mish),
  LeakyRelu: (node) => {
    const negativeSlope = node.float('alpha', 0.01);
    return (call) => F.leakyRelu(call.tensor(0), { negativeSlope });
  },
  Elu: (node) => {
    const alpha = node.float('alpha', 1);
    return (call) => F.elu(call.tensor(0), { alpha });
  },
  Celu: (node) => {
    const alpha = node.float('alpha', 1);
    return (call) => F.celu(call.tensor(0), { alpha });
  },
  ThresholdedRelu: (node) => {
    const threshold = node.float('alpha', 1);
    return (call) => F.threshold(call.tensor(0), { threshold, value: 0 });
  },
  Selu: selu,
  HardSigmoid: hardSigmoid,
  Gelu: gelu,
  Clip: () => clip,
  Shrink: shrink,
  PRelu: () => prelu,
  Softmax: (node) => {
    const dim = node.int('axis', -1);
    return (call) => F.softmax(call.tensor(0), { dim });
  },
  LogSoftmax: (node) => {
    const dim = node.int('axis', -1);
    return (call) => F.logSoftmax(call.tensor(0), { dim });
  },
  Hardmax: hardmax,
  Dropout: dropout,
};
