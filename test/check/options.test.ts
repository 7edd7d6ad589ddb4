/** Options: unknown keys are errors everywhere, and the message suggests the key that was meant. */
import { describe, expect, it } from 'vitest';
import { checkOptions, optionKeys, unknownKey } from '../../lib/check/index.js';
import * as dyconv from '../../lib/index.js';
import {
  ArgumentError,
  type DType,
  DyconvError,
  DynamicConv2d,
  distributed,
  functional as F,
  nn,
  ones,
  optim,
  PackageProgram,
  randint,
  randn,
  serve,
  type Tensor,
  tensor,
  train,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { type OptionsCall, publicOptionsCalls } from './public-options.js';

const sgd = () => new optim.SGD([ones([1], { requiresGrad: true })]);

/** Arguments that the rules below do not produce, by path. */
const ARGUMENTS: Readonly<Record<string, () => unknown[]>> = {
  'data.create': () => ['bundled'],
  'models.create': () => ['alexnet'],
  'models.loadPretrained': () => [new nn.ReLU(), 'weights.safetensors'],
  'nn.collapse': () => [new nn.ReLU()],
  'nn.dynamize': () => [new nn.ReLU()],
  'report.summary': () => [new nn.ReLU(), [1]],
};

/** The receiver of a method, by the name of its class; a tensor for all others. */
const OBJECTS: Readonly<Record<string, () => unknown>> = {
  'models.AlexNet': () => new nn.ReLU(),
  // The method is found at the optimizer that is exported first.
  'optim.*': sgd,
  DynamicConv2d: () => new DynamicConv2d(1, 1, 1),
  'nn.CondConv2d': () => new nn.CondConv2d(1, 1, 1),
  'nn.DynamicConv1d': () => new nn.DynamicConv1d(1, 1, 1),
  'nn.DynamicConv3d': () => new nn.DynamicConv3d(1, 1, 1),
  'nn.ODConv2d': () => new nn.ODConv2d(1, 1, 1).eval(),
  'distributed.DistributedDataParallel': () => new nn.ReLU(),
  'distributed.ProcessGroup': () => Object.create(distributed.ProcessGroup.prototype),
  'distributed.Store': () => Object.create(distributed.Store.prototype),
  PackageProgram: () => Object.create(PackageProgram.prototype),
  'nn.MultiheadAttention': () => new nn.MultiheadAttention(2, 1),
  'nn.TransformerEncoder': () => new nn.TransformerEncoder(new nn.TransformerEncoderLayer(2, 1), 1),
  'nn.TransformerEncoderLayer': () => new nn.TransformerEncoderLayer(2, 1),
  'nn.Program': () => nn.compile(new nn.ReLU().eval(), ones([1, 1])),
  'serve.Classifier': () => Object.create(serve.Classifier.prototype),
  'serve.Pool': () => serve.createPool({ run: (x: Tensor) => x }),
  'train.RunDirectory': () => Object.create(train.RunDirectory.prototype),
  'train.TensorBoard': () => new train.TensorBoard('unused'),
  'train.Trainer': () => Object.create(train.Trainer.prototype),
};

const dataset = {
  name: 'one',
  split: 'train',
  length: 1,
  classes: ['a'],
  shape: [1, 1, 1],
  images: new Uint8Array(1),
  labels: new Uint8Array(1),
  get: () => ({ image: new Uint8Array(1), label: 0 }),
};

function argument(kind: string): unknown {
  if (/Dataset\b/.test(kind)) return dataset;
  if (kind === 'Scheduled') return sgd();
  if (kind === 'Module') return new nn.ReLU();
  if (kind === 'TypedArray') return new Float32Array(1);
  if (/^readonly (RunData|Prediction|string)\[\]$/.test(kind)) return [];
  if (kind === 'function' || kind === 'Function') return () => ones([1]);
  if (/^(number|Sizes|Pair)\b/.test(kind)) return 1;
  if (kind === 'string') return 'name';
  if (kind.startsWith('readonly number[]')) return [1, 1];
  if (/^Tensor\b/.test(kind)) return ones([1, 1]);
  return ones([1, 1, 1, 1]);
}

/** The error of a call, or of its promise. */
async function errorOf(call: OptionsCall): Promise<unknown> {
  const path = call.path.join('.');
  const before = ARGUMENTS[path]?.() ?? call.before.map(argument);
  const options = { [UNKNOWN]: 1 };
  const names = [...call.path];
  const last = names.pop()!;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the path leads to
  const at = (object: any, key: string) => object[key];
  try {
    if (call.kind === 'method') {
      const owner = await ((OBJECTS[names.join('.')] ?? OBJECTS[`${names[0]}.*`])?.() ?? ones([1, 1]));
      await at(owner, last).call(owner, ...before, options);
      return undefined;
    }
    const owner = names.reduce(at, dyconv);
    const target = at(owner, last);
    await (call.kind === 'constructor'
      ? new target(...before, options)
      : target.call(owner, ...before, options));
    return undefined;
  } catch (error) {
    return error;
  }
}

const UNKNOWN = 'noSuchOption';

// biome-ignore lint/suspicious/noExplicitAny: whatever the path leads to
const valueAt = (path: readonly string[]) => path.reduce((object: any, name) => object?.[name], dyconv);

// Some classes are exported as types only.
const calls = publicOptionsCalls().filter(
  ({ kind, path }) => kind === 'method' || valueAt(path) !== undefined,
);

it('finds the calls that take options', () => {
  expect(calls.length).toBeGreaterThan(300);
});

it.each(calls.map((call) => [call.path.join('.'), call] as const))(
  '%s refuses an unknown key',
  async (_, call) => {
    const error = await errorOf(call);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toContain(`received '${UNKNOWN}'`);
  },
);

describe('what was meant', () => {
  const x = randn([2, 3]);
  const weight = ones([1], { requiresGrad: true });

  itRefuses([
    [
      'a name of other libraries',
      () => x.sum({ axis: 1 } as never),
      ArgumentError,
      "received 'axis': did you mean 'dim'?",
    ],
    ['keepDim', () => x.mean({ keepDim: true } as never), ArgumentError, "did you mean 'keepdim'?"],
    [
      'a misspelt one',
      () => new nn.Conv2d(3, 8, 3, { pading: 1 } as never),
      ArgumentError,
      "received 'pading': did you mean 'padding'?",
    ],
    [
      'snake_case',
      () => new DynamicConv2d(3, 8, 3, { num_experts: 2 } as never),
      ArgumentError,
      "received 'num_experts': keys are written in camelCase, 'numExperts'",
    ],
    [
      'learningRate',
      () => new optim.Adam([weight], { learningRate: 1 } as never),
      ArgumentError,
      "received 'learningRate': did you mean 'lr'?",
    ],
    ['dtyp', () => zeros([2], { dtyp: 'int64' } as never), ArgumentError, "did you mean 'dtype'?"],
    [
      'label_smoothing',
      () => F.crossEntropy(x, randint(0, 3, [2]), { label_smoothing: 0.1 } as never),
      ArgumentError,
      "'labelSmoothing'",
    ],
    [
      'what is like no key, with all of them',
      () => x.sum({ colour: 1 } as never),
      ArgumentError,
      'Expected the keys dim, keepdim',
    ],
    ['a key without a value', () => x.sum({ axis: undefined } as never), ArgumentError, "'axis'"],
    [
      'a key of a group of parameters',
      () => new optim.SGD([{ params: [weight], weight_decay: 1 } as never]),
      ArgumentError,
      "'weightDecay'",
    ],
    ['a tensor for options', () => x.sum(x as never), ArgumentError, 'for options but received Tensor'],
    [
      'a list for options',
      () => x.sum([0] as never),
      ArgumentError,
      'an object such as { dim: 0 } for options',
    ],
  ]);

  it('is the same error for functions and their layers', () => {
    const make = [
      () => new nn.MaxPool2d(2, { strid: 1 } as never),
      () => new nn.CrossEntropyLoss({ weights: tensor([1]) } as never),
      () => new nn.Upsample({ scale_factor: 2 } as never),
      () => F.maxPool2d(ones([1, 1, 2, 2]), 2, { strid: 1 } as never),
    ];
    for (const call of make) expect(call).toThrow(DyconvError);
  });

  it('is found by distance, letters and names alike', () => {
    const meant = (key: string, ...known: string[]) => unknownKey(key, new Set(known)).message;
    expect(meant('keepdims', 'dim', 'keepdim')).toContain("'keepdim'?");
    expect(meant('paddingmode', 'mode', 'paddingMode')).toContain("'paddingMode'?");
    expect(meant('padding_mode', 'mode', 'paddingMode')).toContain("camelCase, 'paddingMode'");
    expect(meant('stirde', 'stride', 'padding')).toContain("'stride'?");
    expect(meant('x', 'p')).not.toContain('did you mean');
  });
});

describe('positional sizes', () => {
  itRefuses([
    [
      'zeros',
      () => zeros(2 as never, 3 as never),
      ArgumentError,
      'of zeros but received 2, 3: write zeros([2, 3])',
    ],
    ['ones', () => ones(2 as never), ArgumentError, 'of ones but received 2: write ones([2])'],
    ['randn', () => randn(2 as never, 3 as never), ArgumentError, 'write randn([2, 3])'],
    ['randint', () => randint(0, 9, 3 as never), ArgumentError, 'write randint(low, high, [3])'],
  ]);
});

describe('checkOptions', () => {
  const KEYS = optionKeys('dim', 'keepdim');

  it('returns the options, whatever their prototype', () => {
    const options: { dim?: number; keepdim?: boolean } = Object.assign(Object.create(null), { dim: 1 });
    expect(checkOptions(options, KEYS)).toBe(options);
    const empty: { dim?: number; keepdim?: boolean } = {};
    expect(checkOptions(empty, KEYS)).toBe(empty);
  });

  it('has the compiler compare keys and type', () => {
    const options: { dim?: number; dtype?: DType } = {};
    // @ts-expect-error: dtype is not among the keys, and keepdim is not among the options
    expect(checkOptions(options, KEYS)).toBe(options);
  });
});
