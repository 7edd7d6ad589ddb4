import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import * as dyconv from '../lib/index.js';
import {
  ArgumentError,
  cpuCapability,
  cuda,
  DeviceError,
  DisposedError,
  DTypeError,
  DyconvError,
  functional as F,
  getNumThreads,
  getRngState,
  manualSeed,
  ones,
  rand,
  randn,
  randperm,
  setNumThreads,
  setRngState,
  version,
  zeros,
} from '../lib/index.js';
import { native } from '../lib/native/index.js';
import { itRefuses } from './support/refusals.js';

const threads = getNumThreads();
afterEach(() => setNumThreads(threads));

const gone = () => {
  const state = getRngState();
  state.dispose();
  return state;
};

itRefuses([
  [
    'a negative seed',
    () => manualSeed(-1),
    ArgumentError,
    'Expected an integer from 0 to 2^53 - 1 for seed but received -1 (number)',
  ],
  ['half a seed', () => manualSeed(0.5), ArgumentError, 'for seed but received 0.5'],
  [
    'a seed that is text',
    () => manualSeed('1' as never),
    ArgumentError,
    "for seed but received '1' (string)",
  ],
  ['a state of floats', () => setRngState(zeros([3])), DTypeError, 'ByteTensor'],
  [
    'a state that is no Tensor',
    () => setRngState([1] as never),
    ArgumentError,
    'Expected a Tensor for state of setRngState but received an array',
  ],
  [
    'the generator of a GPU that is not there',
    () => getRngState({ device: 'cuda:99' }),
    DeviceError,
    'Expected an available device for device of getRngState',
  ],
  ['a state that is disposed', () => setRngState(gone()), DisposedError, 'for state of setRngState'],
  [
    'no threads',
    () => setNumThreads(0),
    ArgumentError,
    'Expected an integer from 1 to 1024 for threads but received 0',
  ],
  ['too many threads', () => setNumThreads(1025), ArgumentError, 'but received 1025'],
  [
    'half a thread',
    () => setNumThreads(1.5),
    ArgumentError,
    'Expected an integer for threads of setNumThreads',
  ],
]);

describe('the generator', () => {
  it('repeats from a seed, for every kind of draw', () => {
    const draw = () => [
      ...[rand([3]), randn([3]), randperm(5), F.dropout(ones([20])), zeros([3])].map((t) => t.arraySync()),
    ];
    manualSeed(42);
    const first = draw();
    const second = draw();
    manualSeed(42);
    expect(draw()).toEqual(first);
    expect(second).not.toEqual(first);
    manualSeed(43);
    expect(draw()).not.toEqual(first);
  });

  it('goes back to a state that was read', () => {
    manualSeed(1);
    randn([5]);
    const state = getRngState();
    expect(state.dtype).toBe('uint8');
    const first = randn([5]).arraySync();
    setRngState(state);
    expect(randn([5]).arraySync()).toEqual(first);
    manualSeed(Number.MAX_SAFE_INTEGER);
  });
});

it('threads can be set and read', () => {
  expect(threads).toBeGreaterThanOrEqual(1);
  setNumThreads(1);
  expect(getNumThreads()).toBe(1);
  setNumThreads(2);
  expect(getNumThreads()).toBe(2);
});

describe('what it runs on', () => {
  it('knows its versions', () => {
    const { version: own } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(version.dyconv).toBe(own);
    expect(version.libtorch).toMatch(/^\d+\.\d+\.\d+/);
    expect(Object.isFrozen(version)).toBe(true);
    expect(cpuCapability()).toMatch(/^\w+/);
  });

  it('has CUDA only when built for it', () => {
    expect(cuda.deviceCount()).toBeGreaterThanOrEqual(0);
    expect(cuda.isAvailable()).toBe(cuda.deviceCount() > 0);
    if (!native.cudaBuilt()) expect([cuda.isAvailable(), cuda.deviceCount()]).toEqual([false, 0]);
  });
});

it('the entry exports what the documentation promises', () => {
  const names =
    `tensor zeros ones full empty rand randn randint arange eye cat stack Tensor noGrad inferenceMode tidy
    manualSeed memory setNumThreads getNumThreads cuda version nn functional optim models data train report autograd
    DynamicConv2d DynamicConv dynamicConv2d loadSafetensors saveSafetensors ShapeError DTypeError DeviceError
    DisposedError NativeError CheckpointError DatasetError`.split(/\s+/);
  expect(names.filter((name) => (dyconv as Record<string, unknown>)[name] === undefined)).toEqual([]);
});

it('errors have a name, a stable code and the base class', () => {
  const classes = Object.entries(dyconv).filter(([name]) => /^[A-Z]\w+Error$/.test(name));
  expect(classes.length).toBeGreaterThanOrEqual(11);
  for (const [name, Class] of classes as [string, new (message: string) => DyconvError][]) {
    const error = new Class('text');
    expect(error).toBeInstanceOf(DyconvError);
    expect([error.name, error.message]).toEqual([name, 'text']);
    expect(error.code).toMatch(/^ERR_[A-Z]+$/);
  }
  const codes = (classes as [string, new (message: string) => DyconvError][]).map(([, C]) => new C('').code);
  expect(new Set(codes).size).toBe(codes.length);
});
