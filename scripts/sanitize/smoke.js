/**
 * A little of everything the add-on does, for tools that make it a hundred times slower. Throws where a value is wrong.
 * @module
 */
import assert from 'node:assert/strict';
import * as dyconv from '../../dist/index.js';

const { nn, tensor, ones, zeros, tidy, noGrad, Tensor } = dyconv;
dyconv.setNumThreads(1);

// Operations, views, gradients.
const x = tensor(
  [
    [1, 2],
    [3, 4],
  ],
  { requiresGrad: true },
);
x.square().sum().backward();
assert.deepEqual(x.grad?.arraySync(), [
  [2, 4],
  [6, 8],
]);
assert.deepEqual(noGrad(() => x.t().matmul(x).index(0, dyconv.slice(0, 1))).arraySync(), [10]);

// The two ends of a handle, and what comes after them.
const kept = tidy(() => ones([10]).add(1).sum());
assert.equal(kept.item(), 20);
kept.dispose();
assert.throws(() => kept.add(1), dyconv.DisposedError);
for (let i = 0; i < 200; i++) zeros([1000]).add(i);

// Errors of either side.
assert.throws(() => ones([2]).add(ones([3])), dyconv.ShapeError);
assert.throws(() => ones([2]).add(/** @type {never} */ (Symbol())), dyconv.ArgumentError);
assert.throws(() => dyconv.empty([2 ** 50]), dyconv.NativeError);

// Memory shared with arrays and handles; work on other threads.
const array = new Float32Array([1, 2, 3]);
assert.equal(dyconv.fromTypedArray(array).mul(2).sum().item(), 12);
assert.deepEqual([...ones([3]).dataSync({ copy: false })], [1, 1, 1]);
assert.equal(
  Tensor.fromHandle(ones([5]).share())
    .sum()
    .item(),
  5,
);
assert.deepEqual([...(await tensor([1, 2]).data())], [1, 2]);

// The kernels, forward and backward: every algorithm of the CPU on a problem it can compute.
const dense = new nn.DynamicConv2d(3, 4, 3, { padding: 1, numExperts: 2 });
const depthwise = new nn.DynamicConv2d(4, 4, 3, { padding: 1, numExperts: 2, groups: 4 });
const problems = [
  { layer: dense, images: dyconv.randn([2, 3, 7, 7]) },
  { layer: dense, images: dyconv.randn([1, 3, 7, 7]) },
  { layer: depthwise, images: dyconv.randn([2, 4, 7, 7]) },
];
const algorithms = dyconv.dynamicConv2d.algorithms().filter((name) => !name.endsWith('-cuda'));
const computed = new Set();
for (const { layer, images } of problems) {
  const { groups } = layer.options;
  for (const algorithm of [/** @type {const} */ ('auto'), ...algorithms]) {
    try {
      dyconv
        .dynamicConv2d(images, layer.weight, layer.attention(images), layer.bias, {
          padding: 1,
          groups,
          algorithm,
        })
        .sum()
        .backward();
      computed.add(algorithm);
    } catch (error) {
      if (!(error instanceof dyconv.ArgumentError)) throw error; // not one it can compute
    }
  }
}
assert.deepEqual([...computed].sort(), ['auto', ...algorithms].sort());
assert.deepEqual(dense.weight.grad?.shape, [2, 4, 3, 3, 3]);
console.log('smoke: all is well');
