import dyconv = require('dyconv');

const shape: readonly number[] = dyconv.zeros([2, 3]).shape;
// @ts-expect-error: a dtype that does not exist
dyconv.zeros([1], { dtype: 'complex7' });
console.log(shape);
