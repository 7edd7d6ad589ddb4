import { expect, it } from 'vitest';
import { ArgumentError, Tensor, zeros } from '../../lib/index.js';
import { native, TensorObject } from '../../lib/native/index.js';

it('exports functions that know their names', () => {
  const functions = Object.entries(native);
  expect(functions.filter(([name, fn]) => typeof fn !== 'function' || fn.name !== name)).toEqual([]);
});

// Functions that accept any arguments, or none.
const TOLERANT = new Set([
  ...[
    'isTensor',
    'isGradEnabled',
    'isInferenceMode',
    'openScope',
    'allocatorStats',
    'isRecording',
    'recordingClose',
    'recordingPause',
    // Any value is an output.
    'recordingFinish',
    'emptyCache',
    'liveTensors',
    'liveBytes',
  ],
  ...['getNumThreads', 'libtorchVersion', 'cpuCapability', 'cudaBuilt', 'cudaDeviceCount'],
  ...['cudaKernels', 'cudaRuntime', 'cudaProblem', 'cudaEmptyCache', 'setCudaFlags'],
  ...['cudaTuningIsSet', 'waitingInputs'],
  ...['openBackground', 'closeBackground', 'abandonBackground'],
  ...['dynamicConv2dAlgorithms', 'setTracer', 'creations', 'sharedStats', 'processKey'],
]);

it.each(Object.keys(native).filter((name) => !TOLERANT.has(name)))(
  '%s refuses to be called with nothing',
  (name) => {
    const call = native[name as keyof typeof native] as () => unknown;
    expect(call).toThrow(Error);
    expect(call).toThrow(/^Expected .+ for \w+ of [\w.]+ but received undefined$/);
  },
);

it.each<[string, () => unknown]>([
  [
    "Expected one of 'sum', 'mean', 'max' for mode of embeddingBag but received 'median' (string)",
    () =>
      native.embeddingBag(
        zeros([2, 2]),
        zeros([1], { dtype: 'int64' }),
        zeros([1], { dtype: 'int64' }),
        'median' as never,
        null,
        false,
        undefined,
      ),
  ],
  [
    "Expected one of 'none', 'mean', 'sum' for reduction of mseLoss but received 1 (number)",
    () => native.mseLoss(zeros([1]), zeros([1]), 1 as never),
  ],
  [
    "Expected one of 'softmax', 'sigmoid' for kind of routing but received 'relu' (string)",
    () =>
      native.routing(
        zeros([1, 1, 1, 1]),
        zeros([1, 1, 1, 1]),
        null,
        zeros([1, 1, 1, 1]),
        null,
        1,
        'relu' as never,
      ),
  ],
])('rejects unknown names: %s', (message, call) => {
  expect(call).toThrow(ArgumentError);
  expect(call).toThrow(message);
});

it('passes errors of getters of arguments to the caller unchanged', () => {
  const error = new RangeError('no');
  const slice = {
    get start() {
      throw error;
    },
    stop: 1,
    step: 1,
  };
  let caught: unknown;
  try {
    zeros([3]).index(slice as never);
  } catch (thrown) {
    caught = thrown;
  }
  expect(caught).toBe(error);
});

it('cannot construct tensors from JavaScript', () => {
  // Neither their class nor an instance of the wrapped class is accepted.
  expect(() => Reflect.construct(Tensor, [])).toThrow(ArgumentError);
  const empty = new TensorObject() as Tensor;
  expect(empty instanceof Tensor).toBe(true);
  expect(() => empty.add(1)).toThrow(ArgumentError);
  expect(() => empty.shape).toThrow('Expected a Tensor for input of shape but received an object');
  expect(Object.getPrototypeOf(Object.getPrototypeOf(zeros([1])))).toBe(Tensor.prototype);
  expect(() => native.setTensorClass(class {})).toThrow(
    'Expected tensorClass of setTensorClass to be set once',
  );
});
