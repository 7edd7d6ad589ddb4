import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as dyconv from '../../lib/index.js';
import { type DType, type Tensor, tensor } from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { filled, golden } from '../golden/hash.js';
import { invoke, readSamples, run, type Sample } from './op-db.js';
import { DIFFERENCES, type Difference, meant } from './op-db-differences.js';

interface Stored {
  shape: number[];
  dtype: DType;
  data: (number | boolean | string)[];
}

interface Input extends Partial<Stored> {
  shape: number[];
  seed?: number;
  scale?: number;
  shift?: number;
  grad?: boolean;
}

/** A case of test/golden/make_ops.py. */
interface Case {
  call: string;
  args: unknown[];
  inputs: Input[];
  outputs: (Stored | { value: unknown })[];
  grads?: ((number | string)[] | null)[];
  seed?: number;
  inplace?: boolean;
  pick?: string[];
}

const cases = golden<Case[]>('ops');

// Every function of the add-on that a case calls is recorded: the others have no golden value.
const reached = new Set<string>();
const originals = new Map<string, unknown>();
for (const [name, fn] of Object.entries(native) as [string, (...args: unknown[]) => unknown][]) {
  originals.set(name, fn);
  (native as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
    reached.add(name);
    return fn(...args);
  };
}
afterAll(() => Object.assign(native, Object.fromEntries(originals)));

/** Stored numbers; 'nan' and 'inf' stand for numbers that JSON cannot represent. */
function numbersOf(data: readonly (number | boolean | string)[]): number[] {
  return data.map((value) => (typeof value === 'string' ? special(value) : Number(value)));
}

function made(input: Input): Tensor {
  if (input.data !== undefined) {
    const literal = tensor(numbersOf(input.data), { dtype: input.dtype }).reshape(input.shape);
    return input.grad ? literal.requiresGrad_() : literal;
  }
  const numbers = filled(input.shape, input.seed!, input.scale, 'float64').add(input.shift!);
  return input.grad ? numbers.requiresGrad_() : numbers;
}

function special(text: string): number {
  return text === 'nan' ? Number.NaN : text === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** The results of a case's call, those of an object in the order of its keys. */
function call(spec: Case, inputs: readonly Tensor[]): unknown[] {
  const result = invoke(spec.call, spec.args, inputs);
  if (dyconv.isTensor(result) || typeof result !== 'object') return [result];
  if (Array.isArray(result)) return result;
  const entries = Object.entries(result as object);
  return entries.filter(([key]) => spec.pick?.includes(key) ?? true).map(([, value]) => value);
}

function expectClose(name: string, received: readonly number[], wanted: readonly number[]): void {
  expect(received.length, name).toBe(wanted.length);
  wanted.forEach((value, i) => {
    const difference = Math.abs(received[i]! - value);
    const same = Object.is(received[i], value) || received[i] === value;
    expect(
      same || difference <= 1e-9 * Math.max(1, Math.abs(value)),
      `${name}[${i}]: ${received[i]}, not ${value}`,
    ).toBe(true);
  });
}

const flat = (x: Tensor): number[] => [...x.detach().dataSync({ dtype: 'float64' })];

function check(spec: Case): void {
  const leaves = spec.inputs.map(made);
  const inputs = spec.inplace ? [leaves[0]!.clone(), ...leaves.slice(1)] : leaves;
  if (spec.seed !== undefined) dyconv.manualSeed(spec.seed);
  const outputs = call(spec, inputs);
  expect(outputs.length).toBe(spec.outputs.length);
  let total: Tensor | undefined;
  spec.outputs.forEach((wanted, k) => {
    const received = outputs[k];
    if ('value' in wanted) {
      expect(received).toEqual(wanted.value);
      return;
    }
    if (!dyconv.isTensor(received)) throw new Error(`output ${k} is no Tensor`);
    expect([received.shape, received.dtype]).toEqual([wanted.shape, wanted.dtype]);
    expectClose(`output ${k}`, flat(received), numbersOf(wanted.data));
    if (!received.requiresGrad) return;
    const part = received.mul(filled(received.shape, 1000 + k, 1, 'float64')).sum();
    total = total?.add(part) ?? part;
  });
  expect(total !== undefined, 'whether the result can be differentiated').toBe(spec.grads !== undefined);
  if (total === undefined) return;
  const trained = leaves.filter((leaf) => leaf.requiresGrad);
  const gradients = dyconv.autograd.grad(total, trained, { allowUnused: true });
  spec.grads!.forEach((wanted, k) => {
    if (wanted === null) expect(gradients[k]).toBeNull();
    else expectClose(`gradient ${k}`, flat(gradients[k]!), numbersOf(wanted));
  });
}

describe('equals PyTorch in values and gradients', () => {
  const names = [...new Set(cases.map((spec) => spec.call))];
  it.each(names)('%s', (name) => {
    for (const spec of cases.filter((one) => one.call === name)) dyconv.tidy(() => check(spec));
  });
});

/** All samples in a folder that make_op_db.py wrote, instead of the part that is checked in. */
const { DYCONV_OP_DB: folder } = process.env;

/** The files of samples; each is read when its test runs. */
const sampleFiles: readonly (string | URL)[] = folder
  ? readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl.gz'))
      .map((name) => join(folder, name))
  : [new URL('../golden/op_db.jsonl.gz', import.meta.url)];

describe("equals PyTorch on the samples of PyTorch's operator database", () => {
  const needed = new Set<Difference>();
  let count = 0;

  /** Unintended differences, one line per sample. */
  function differences(samples: readonly Sample[]): string[] {
    count += samples.length;
    return samples.flatMap((sample) => {
      const difference = run(sample);
      if (difference === undefined) return [];
      const why = meant(sample);
      if (why !== undefined) needed.add(why);
      const args = JSON.stringify(sample.args).slice(0, 200);
      return why === undefined
        ? [`${sample.op}, ${sample.dtype}: ${sample.call} ${args}: ${difference}`]
        : [];
    });
  }

  it.each(sampleFiles.map((file) => [basename(String(file)), file] as const))(
    '%s',
    (_, file) => {
      expect(differences(readSamples(file))).toEqual([]);
    },
    600_000,
  );

  it('runs as many samples as there should be', () => {
    expect(count).toBeGreaterThan(folder ? 40_000 : 1_500);
  });

  it.runIf(folder)('has no difference on purpose that is none', () => {
    expect(DIFFERENCES.filter((entry) => !needed.has(entry)).map(({ reason }) => reason)).toEqual([]);
  });
});

/** The function names of the tables in lib/native, by the name of the table. */
function tables(): Map<string, string[]> {
  const folder = new URL('../../lib/native/', import.meta.url);
  const found = new Map<string, string[]>();
  for (const file of readdirSync(folder)) {
    const source = readFileSync(new URL(file, folder), 'utf8');
    const [, body] = /^export interface \w+Table\b[^{]*\{\n(.*?)^\}/ms.exec(source) ?? [];
    if (body === undefined) continue;
    const names = [...body.matchAll(/^ {2}(\w+)[(:]/gm)].map((match) => match[1]!);
    found.set(file.replace('.ts', ''), names);
  }
  return found;
}

/** Tables whose functions have no case in ops.json, and where their values are tested instead. */
const TABLES_ELSEWHERE: Record<string, string> = {
  'dynamic-conv': 'test/ops/dynamic-conv.test.ts: against loops',
  recurrent: 'test/nn/layers-golden.test.ts: layers and cells against PyTorch',
  optim: 'test/optim/golden.test.ts: whole steps against PyTorch',
  gradients:
    'test/optim/golden.test.ts, test/ops/clip-grad.test.ts, test/cuda/amp.test.ts: clipped and scaled',
  data: 'test/data/augment.test.ts: against loops',
  exchange: 'test/tensor/buffer.test.ts, handle.test.ts, test/safetensors.test.ts: no numbers of its own',
  autograd: 'test/tensor/autograd.test.ts, custom-function.test.ts, hooks.test.ts: passes over graphs',
  cuda: 'test/cuda/device.test.ts: devices, memory and graphs, no operations',
  background: 'test/tensor/background.test.ts: when operations are computed, no operations',
  compile: 'test/program/compile.test.ts: recordings and programs, no operations',
  collective: 'test/distributed/collectives.test.ts: between processes',
  'data-parallel': 'test/distributed/data-parallel.test.ts: trainings of several processes',
  distributed: 'test/distributed/*.test.ts: groups and their store, no operations',
  programs: 'test/program/run.test.ts, runner.test.ts: runs of programs, no operations',
  runtime: 'modes, scopes, threads, generators, versions: no operations',
};

/** The same for single functions of the other tables. */
const NAMES_ELSEWHERE: Record<string, readonly string[]> = {
  'test/nn/norm.test.ts: a check': ['checkDims'],
  'test/ops/batch-norm.test.ts: compared with batch norm and activation apart': ['batchNormActivation'],
  'test/tensor/tensor.test.ts: what a tensor is, where it is, how it ends': [
    ...[
      'shape',
      'strides',
      'dtype',
      'device',
      'numel',
      'ndim',
      'isContiguous',
      'isDisposed',
      'dispose',
      'setData',
    ],
  ],
  'test/tensor/create.test.ts and tensor.test.ts: data in and out, exact': [
    ...['empty', 'fromData', 'elements', 'readInto', 'readIntoAsync', 'item'],
  ],
};

/**
 * Functions with floating-point results that have no gradient in PyTorch either: constructors, counts, detached
 * results.
 */
const WITHOUT_GRADIENT = [
  ...['rand', 'randn', 'linspace', 'eye', 'full'],
  ...['normal_', 'uniform_', 'bernoulli_', 'exponential_', 'logNormal_', 'cauchy_', 'geometric_'].map(
    (n) => `x.${n}`,
  ),
  ...[
    'x.bernoulli',
    'x.poisson',
    'x.heaviside',
    'x.histc',
    'x.histogram',
    'x.bincount',
    'x.floorDivide',
    'x.detach',
  ],
];

describe('the native tables', () => {
  const byTable = tables();

  it('are all found', () => {
    expect([...byTable.values()].flat().sort()).toEqual([...originals.keys()].sort());
  });

  it('have a golden for every operation', () => {
    const named = Object.values(NAMES_ELSEWHERE).flat();
    const wanted = [...byTable].flatMap(([table, names]) => (table in TABLES_ELSEWHERE ? [] : names));
    expect(wanted.filter((name) => !reached.has(name) && !named.includes(name))).toEqual([]);
  });

  it('have a golden gradient if their results are floating-point numbers', () => {
    const floating = cases.filter((spec) =>
      spec.outputs.some((output) => 'dtype' in output && output.dtype.startsWith('float')),
    );
    const differentiated = new Set(cases.filter((spec) => spec.grads !== undefined).map((spec) => spec.call));
    const without = new Set(floating.map((spec) => spec.call).filter((name) => !differentiated.has(name)));
    expect([...without].sort()).toEqual([...WITHOUT_GRADIENT].sort());
  });

  it('have no exemption that is not needed', () => {
    expect(Object.keys(TABLES_ELSEWHERE).filter((table) => !byTable.has(table))).toEqual([]);
    expect(
      Object.values(NAMES_ELSEWHERE)
        .flat()
        .filter((name) => !originals.has(name)),
    ).toEqual([]);
  });
});
