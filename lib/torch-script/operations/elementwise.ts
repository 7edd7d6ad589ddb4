/**
 * Functions of single elements: arithmetic, comparisons, activation functions, dropout.
 * @module
 */
import type { Translations } from '../step.js';
import { calls, snakeCase } from './call.js';

/** Of one tensor, with the same name as in libtorch. */
const UNARY = [
  ...['neg', 'abs', 'sign', 'reciprocal', 'square', 'floor', 'ceil', 'round', 'trunc', 'frac'],
  ...['exp', 'expm1', 'exp2', 'log', 'log1p', 'log2', 'log10', 'sqrt', 'rsqrt', 'sinc'],
  ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh'],
  ...['deg2rad', 'rad2deg', 'sigmoid', 'erf', 'erfc', 'erfinv', 'lgamma', 'digamma', 'i0'],
  ...['isnan', 'isfinite', 'isinf', 'isposinf', 'isneginf', 'signbit', 'logicalNot', 'bitwiseNot'],
  ...['relu', 'relu6', 'selu', 'silu', 'mish', 'logSigmoid', 'hardsigmoid', 'hardswish'],
];

/** Of one tensor, in libtorch with the prefix `special_`. */
const SPECIAL = ['erfcx', 'i0e', 'i1', 'i1e', 'ndtr', 'ndtri', 'logNdtr', 'entr'];

/** Of two tensors or numbers; the second may be a number in libtorch too. */
const WITH_NUMBER = [
  ...['mul', 'div', 'floorDivide', 'remainder', 'fmod'],
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge'],
  ...['bitwiseAnd', 'bitwiseOr', 'bitwiseXor', 'bitwiseLeftShift', 'bitwiseRightShift'],
];

/** Of two tensors or numbers; both are tensors in libtorch. */
const OF_TENSORS = [
  ...['maximum', 'minimum', 'fmax', 'fmin', 'gcd', 'lcm', 'ldexp', 'copysign', 'nextafter', 'heaviside'],
  ...['logaddexp', 'logaddexp2', 'atan2', 'hypot', 'xlogy', 'logicalAnd', 'logicalOr', 'logicalXor'],
];

export const ELEMENTWISE: Translations = {
  ...calls(UNARY, '$0'),
  ...Object.fromEntries(SPECIAL.map((name) => [name, `torch.special_${snakeCase(name)}($0)`])),
  ...calls(WITH_NUMBER, '$0t, $1o'),
  ...calls(OF_TENSORS, '$0t, $1t'),
  add: 'torch.add($0t, $1o, alpha=$2)',
  sub: 'torch.sub($0t, $1o, alpha=$2)',
  divRounded: 'torch.div($0t, $1o, rounding_mode=$2)',
  pow: 'torch.pow($0, $1)',
  floatPower: 'torch.float_power($0, $1)',
  sgn: 'torch.sign($0)',
  roundDecimals: 'torch.round($0, decimals=$1)',
  clamp: 'torch.clamp($0, $1, $2)',
  clampTensor: 'torch.clamp($0, $1, $2)',
  lerp: 'torch.lerp($0, $1, $2)',
  addcmul: 'torch.addcmul($0, $1, $2, value=$3)',
  addcdiv: 'torch.addcdiv($0, $1, $2, value=$3)',
  nanToNum: 'torch.nan_to_num($0, $1f, $2f, $3f)',
  isclose: 'torch.isclose($0, $1, $2f, $3f, $4)',
  isin: 'torch.isin($0, $1o, assume_unique=$2, invert=$3)',
  where: 'torch.where($0, $1t, $2t)',
  logit: 'torch.logit($0, $1f)',
  polygamma: 'torch.polygamma($1, $0)',
  mvlgamma: 'torch.mvlgamma($0, $1)',
  zeta: 'torch.special_zeta($0t, $1t)',
  xlog1py: 'torch.special_xlog1py($0t, $1t)',
  leakyRelu: 'torch.leaky_relu($0, $1)',
  rrelu: 'torch.rrelu($0, $1, $2, $3)',
  prelu: 'torch.prelu($0, $1)',
  elu: 'torch.elu($0, $1)',
  celu: 'torch.celu($0, $1)',
  gelu: 'torch.gelu($0, approximate=$1)',
  softplus: 'torch.softplus($0, $1, $2)',
  softsign: 'torch.div($0, torch.add(torch.abs($0), 1))',
  softmax: 'torch.softmax($0, $1, $2d)',
  logSoftmax: 'torch.log_softmax($0, $1, $2d)',
  hardtanh: 'torch.hardtanh($0, $1, $2)',
  hardshrink: 'torch.hardshrink($0, $1)',
  softshrink: 'torch.softshrink($0, $1)',
  tanhshrink: 'torch.sub($0, torch.tanh($0))',
  threshold: 'torch.threshold($0, $1, $2)',
  glu: 'torch.glu($0, $1)',
  ...calls(['dropout', 'featureDropout', 'alphaDropout', 'featureAlphaDropout'], '$0, $1f, $2'),
};
