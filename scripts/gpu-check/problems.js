/**
 * Problems of dynamic convolution for the checks on a GPU: arguments that are the same for every device and dtype, and the results.
 * @module
 */
import { autograd, cuda, dynamicConv2d, manualSeed, randn } from '../../dist/index.js';

/** @import { Device, DType, Tensor } from '../../dist/index.js' */
/** @import { Problem } from './sizes.js' */
/** @import { DynamicConv2dAlgorithm } from '../../dist/ops/dynamic-conv.js' */

/**
 * Where and how it is computed: `dtype` of images and weights, `rounded` the dtype whose rounding the numbers have already.
 * @typedef {{ device: Device, dtype: DType, rounded: DType, channelsLast?: boolean }} Place
 */

/** Ends the program with one line where the kernels cannot run: without them only operations of libtorch would be checked. */
export function requireKernels() {
  const why = cuda.whyUnavailable() ?? (cuda.hasKernels() ? undefined : 'the add-on was built without nvcc');
  if (why === undefined) return;
  console.error(`error: The CUDA kernels cannot run: ${why}`);
  process.exit(1);
}

/**
 * Input, weight, attention and bias, and the gradient of the output.
 * @param {Problem} problem @param {Place} place
 */
export function operandsOf({ batch, in: channels, out, size, kernel, stride, groups, experts }, place) {
  const { device, dtype, rounded, channelsLast = false } = place;
  manualSeed(9);
  /** @param {number[]} shape @param {DType} type */
  const leaf = (shape, type) =>
    randn(shape, { dtype: 'float64' }).to({ dtype: rounded }).to({ device, dtype: type }).detach();
  const side = Math.floor((size + 2 * (kernel >> 1) - kernel) / stride) + 1;
  const images = leaf([batch, channels, size, size], dtype);
  const input = channelsLast ? images.contiguous({ memoryFormat: 'channelsLast' }) : images;
  const weight = leaf([experts, out, channels / groups, kernel, kernel], dtype);
  const attention = leaf([batch, experts], dtype === 'float64' ? dtype : 'float32')
    .softmax({ dim: 1 })
    .detach();
  const bias = leaf([experts, out], dtype);
  const gradOutputs = leaf([batch, out, side, side], dtype);
  return { input, weight, attention, bias, gradOutputs };
}

/**
 * The output, and the gradients of input, weight, attention and bias.
 * @param {Problem} problem @param {Place} place @param {DynamicConv2dAlgorithm} algorithm
 * @returns {Tensor[]}
 */
export function resultsOf(problem, place, algorithm) {
  const { gradOutputs, ...operands } = operandsOf(problem, place);
  const inputs = Object.values(operands).map((operand) => operand.requiresGrad_());
  const { stride, kernel, groups } = problem;
  const { input, weight, attention, bias } = operands;
  const options = { stride, padding: kernel >> 1, groups, algorithm };
  const output = dynamicConv2d(input, weight, attention, bias, options);
  return [output.detach(), .../** @type {Tensor[]} */ (autograd.grad(output, inputs, { gradOutputs }))];
}

/** Largest difference between two results, relative to the largest magnitude of the expected one. @param {Tensor} received @param {Tensor} expected */
export function deviation(received, expected) {
  const exact = expected.to({ device: 'cpu', dtype: 'float64' });
  const difference = received.to({ device: 'cpu', dtype: 'float64' }).sub(exact).abs().amax();
  return Number(difference.item()) / Math.max(Number(exact.abs().amax().item()), 1e-3);
}
