/**
 * Linear layers, products of matrices, embeddings, attention.
 * @module
 */
import type { StoredSize } from '../../native/compile.js';
import { ones } from '../../tensor/create.js';
import type { Value } from '../graph.js';
import { swap, unsqueeze } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';

const matmul = (step: Step): Value => step.node('MatMul', [step.value(0), step.value(1)]);

/** x W^T + b. */
function linear(step: Step): Value {
  const [x, weight] = [step.value(0), step.value(1)];
  if (step.rank(0) === 2 && step.rank(1) === 2)
    return step.node('Gemm', [x, weight, step.optional(2)], { transB: 1 });
  const product = step.node('MatMul', [x, step.rank(1) === 2 ? swap(step, weight, 2, 0, 1) : weight]);
  return step.isNull(2) ? product : step.node('Add', [product, step.value(2)]);
}

function bilinear(step: Step): Value {
  const product = step.node('Einsum', [step.value(0), step.value(2), step.value(1)], {
    equation: '...i,oij,...j->...o',
  });
  return step.isNull(3) ? product : step.node('Add', [product, step.value(3)]);
}

/** beta * input + alpha * product. */
function addedTo(step: Step, product: Value): Value {
  const dtype = step.resultDType();
  const scaled = (value: Value, factor: number) =>
    factor === 1 ? value : step.node('Mul', [value, step.graph.scalar(factor, dtype)]);
  const sum = scaled(product, step.number(4));
  const beta = step.number(3);
  return beta === 0 ? sum : step.node('Add', [scaled(step.value(0), beta), sum]);
}

const addProduct: Translation = (step) => addedTo(step, step.node('MatMul', [step.value(1), step.value(2)]));

/** 1 at the index, 0 elsewhere, as int64. */
function oneHot(step: Step): Value {
  const classes = step.resultSizes().at(-1);
  if (typeof classes !== 'number' || step.number(1) < 0)
    step.fail('takes the number of classes from the values: give numClasses');
  const all = step.graph.ints(Array.from({ length: classes }, (_, i) => i));
  const index = unsqueeze(step, step.value(0), [step.rank(0)]);
  return step.graph.cast(step.node('Equal', [index, all]), 'bool', 'int64');
}

/** 0 where a query may see a key, else minus infinity: [L, S]. */
function causalMask(step: Step, queries: StoredSize | undefined, keys: StoredSize | undefined): Value {
  if (typeof queries !== 'number' || typeof keys !== 'number')
    step.fail('has a causal mask over a dimension that the batch size changes');
  const { graph } = step;
  return graph.once(`causal ${queries} ${keys} ${step.dtype(0)}`, () => {
    using all = ones([queries, keys], { dtype: step.dtype(0) });
    using seen = all.tril();
    using hidden = seen.eq(0);
    using zero = seen.sub(seen);
    return graph.initializer('causal_mask', graph.own(zero.maskedFill(hidden, Number.NEGATIVE_INFINITY)));
  });
}

/** softmax(query key^T * scale + mask) value. */
function attention(step: Step): Value {
  const { graph } = step;
  const dtype = step.dtype(0);
  const rank = step.rank(0);
  if (step.number(4) !== 0) step.fail('draws random numbers');
  if (step.flag(7) && String(step.sizes(0).at(-3)) !== String(step.sizes(1).at(-3)))
    step.fail('has fewer heads of keys than of queries');
  const scale = step.isNull(6) ? 1 / Math.sqrt(step.size(0, -1)) : step.number(6);
  const query = step.node('Mul', [step.value(0), graph.scalar(scale, dtype)]);
  let scores = step.node('MatMul', [
    query,
    swap(step, step.value(1), step.rank(1), step.rank(1) - 2, step.rank(1) - 1),
  ]);
  if (step.flag(5))
    scores = step.node('Add', [scores, causalMask(step, step.sizes(0).at(-2), step.sizes(1).at(-2))]);
  if (!step.isNull(3)) {
    const mask = step.value(3);
    scores =
      step.dtype(3) === 'bool'
        ? step.node('Where', [mask, scores, graph.scalar(Number.NEGATIVE_INFINITY, dtype)])
        : step.node('Add', [scores, graph.cast(mask, step.dtype(3), dtype)]);
  }
  return step.node('MatMul', [step.node('Softmax', [scores], { axis: rank - 1 }), step.value(2)]);
}

const triangle =
  (upper: number): Translation =>
  (step) =>
    step.node('Trilu', [step.value(0), step.graph.scalar(step.number(1), 'int64')], { upper });

export const LINEAR: Translations = {
  linear,
  bilinear,
  embedding: (step) => step.node('Gather', [step.value(0), step.value(1)], { axis: 0 }),
  oneHot,
  scaledDotProductAttention: attention,
  matmul,
  bmm: matmul,
  mm: matmul,
  mv: matmul,
  dot: matmul,
  einsum: (step) =>
    step.node(
      'Einsum',
      step.slots(1).map((slot) => step.valueOf(slot)),
      {
        equation: step.text(0).replaceAll(' ', ''),
      },
    ),
  addmm: addProduct,
  baddbmm: addProduct,
  addmv: addProduct,
  tril: triangle(0),
  triu: triangle(1),
};
