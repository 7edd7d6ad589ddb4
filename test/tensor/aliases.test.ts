import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../lib/index.js';
import { expectValues } from '../support/values.js';

const a = tensor([-0.5, 0.25, 0.75]);
const b = tensor([2, 0.25, -4]);

describe('second names', () => {
  it.each<[string, (x: Tensor) => Tensor, (x: Tensor) => Tensor]>([
    ['absolute', (x) => x.absolute(), (x) => x.abs()],
    ['negative', (x) => x.negative(), (x) => x.neg()],
    ['multiply', (x) => x.multiply(b), (x) => x.mul(b)],
    ['subtract', (x) => x.subtract(b, { alpha: 2 }), (x) => x.sub(b, { alpha: 2 })],
    ['divide', (x) => x.divide(b, { roundingMode: 'floor' }), (x) => x.div(b, { roundingMode: 'floor' })],
    ['trueDivide', (x) => x.trueDivide(b), (x) => x.div(b)],
    ['notEqual', (x) => x.notEqual(b), (x) => x.ne(b)],
    ['greater', (x) => x.greater(b), (x) => x.gt(b)],
    ['greaterEqual', (x) => x.greaterEqual(b), (x) => x.ge(b)],
    ['less', (x) => x.less(b), (x) => x.lt(b)],
    ['lessEqual', (x) => x.lessEqual(b), (x) => x.le(b)],
    ['fix', (x) => x.mul(3).fix(), (x) => x.mul(3).trunc()],
    ['arcsin', (x) => x.arcsin(), (x) => x.asin()],
    ['arccos', (x) => x.arccos(), (x) => x.acos()],
    ['arctan', (x) => x.arctan(), (x) => x.atan()],
    ['arctan2', (x) => x.arctan2(b), (x) => x.atan2(b)],
    ['ger', (x) => x.ger(b), (x) => x.outer(b)],
    ['where', (x) => x.where(b.gt(0), -1), (x) => x.maskedFill(b.le(0), -1)],
    ['multiply_', (x) => x.clone().multiply_(b), (x) => x.mul(b)],
    ['subtract_', (x) => x.clone().subtract_(b, { alpha: 2 }), (x) => x.sub(b, { alpha: 2 })],
    [
      'divide_',
      (x) => x.clone().divide_(b, { roundingMode: 'trunc' }),
      (x) => x.div(b, { roundingMode: 'trunc' }),
    ],
    ['negative_', (x) => x.clone().negative_(), (x) => x.neg()],
    ['clip_', (x) => x.clone().clip_({ min: 0, max: 0.5 }), (x) => x.clamp({ min: 0, max: 0.5 })],
    ['clampMin_', (x) => x.clone().clampMin_(0), (x) => x.clampMin(0)],
    ['clampMax_', (x) => x.clone().clampMax_(b), (x) => x.clampMax(b)],
  ])('%s', (_, alias, wanted) => {
    expect(alias(a).arraySync()).toEqual(wanted(a).arraySync());
  });

  it('of matrices', () => {
    const matrix = tensor([
      [2, 1],
      [0, 3],
    ]);
    expectValues(matrix.matrixPower(2), [
      [4, 5],
      [0, 9],
    ]);
    expectValues(matrix.logdet(), Math.log(6));
    expectValues(tensor([[1]]).matrixExp(), [[Math.E]]);
  });
});
