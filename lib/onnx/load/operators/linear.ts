/**
 * Products of matrices.
 * @module
 */
import { linear } from '../../../ops/conv.js';
import { einsum } from '../../../tensor/matrix.js';
import type { Tensor } from '../../../tensor/tensor.js';
import type { Call, NodeSpec, Operators } from '../node.js';

/** alpha A B + beta C. */
function gemm(node: NodeSpec) {
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const [transA, transB] = [node.flag('transA'), node.flag('transB')];
  return (call: Call): Tensor => {
    const [a, b, c] = [call.tensor(0), call.tensor(1), call.optional(2)];
    const isLinear = !transA && transB && alpha === 1 && (c === null || beta === 1);
    if (isLinear && (c === null || (c.ndim === 1 && c.shape[0] === b.shape[0]))) return linear(a, b, c);
    const product = (transA ? a.t() : a).matmul(transB ? b.t() : b);
    const scaled = alpha === 1 ? product : product.mul(alpha);
    return c === null || beta === 0 ? scaled : scaled.add(beta === 1 ? c : c.mul(beta));
  };
}

function trilu(node: NodeSpec) {
  const upper = node.flag('upper', true);
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const k = call.has(1) ? call.number(1) : 0;
    return upper ? x.triu(k) : x.tril(k);
  };
}

export const LINEAR: Operators = {
  Gemm: gemm,
  MatMul: () => (call) => call.tensor(0).matmul(call.tensor(1)),
  Einsum: (node) => {
    const equation = node.text('equation', '');
    return (call) => einsum(equation, ...call.tensors());
  },
  Trilu: trilu,
};
