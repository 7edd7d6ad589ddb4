/**
 * Runs samples of PyTorch's operator database written by test/golden/make_op_db.py: builds the inputs with
 * their memory layout, makes the call, and compares dtypes, shapes, values and gradients, or that both report
 * an error.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as dyconv from '../../lib/index.js';
import { type DType, type Tensor, tensor } from '../../lib/index.js';

interface Stored {
  dtype: DType;
  shape: number[];
  /** The elements, base64: row-major, or with strides all from the first to the last in memory. */
  data: string;
}

interface Input extends Stored {
  strides?: number[];
  grad?: boolean;
}

/** One call. */
export interface Sample {
  /** PyTorch's operation and its variant. */
  op: string;
  /** The dtype the sample was made for. */
  dtype: DType;
  call: string;
  args: unknown[];
  inputs: Input[];
  outputs?: (Stored | { value: unknown })[];
  grads?: (Stored | null)[] | 'error';
  /** The error of PyTorch, instead of outputs. */
  error?: string;
  inplace?: boolean;
  pick?: string[];
  random?: boolean;
}

/** The samples of a file of make_op_db.py. */
export function readSamples(path: string | URL): Sample[] {
  const lines = gunzipSync(readFileSync(path)).toString().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

function unpacked({ data, dtype }: Stored): InstanceType<(typeof ARRAYS)[DType]> {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  return new ARRAYS[dtype](bytes.buffer);
}

function made(input: Input): Tensor {
  const flat = tensor(unpacked(input) as Float32Array, { dtype: input.dtype });
  const shaped =
    input.strides === undefined ? flat.reshape(input.shape) : flat.asStrided(input.shape, input.strides);
  return input.grad ? shaped.detach().requiresGrad_() : shaped;
}

function argument(value: unknown, inputs: readonly Tensor[]): unknown {
  if (Array.isArray(value)) return value.map((item) => argument(item, inputs));
  if (typeof value !== 'object' || value === null) return value;
  const spec = value as Record<string, unknown>;
  if ('t' in spec) return inputs[spec.t as number];
  if ('undefined' in spec) return undefined;
  if ('number' in spec) return Number(spec.number);
  if ('bigint' in spec) return BigInt(spec.bigint as string);
  if ('slice' in spec) return dyconv.slice(...(spec.slice as [number | null, number | null, number | null]));
  return Object.fromEntries(Object.entries(spec).map(([key, item]) => [key, argument(item, inputs)]));
}

type Callable = (...args: unknown[]) => unknown;

/**
 * The result of a call by name: `x.add` is a method, `F.relu` and `linalg.norm` functions of a namespace, `cat`
 * an export.
 */
export function invoke(call: string, values: readonly unknown[], inputs: readonly Tensor[]): unknown {
  const args = values.map((value) => argument(value, inputs));
  const [space, name] = call.includes('.') ? call.split('.') : ['', call];
  if (space === 'x') {
    const [self, ...rest] = args as [Record<string, Callable>, ...unknown[]];
    return self[name!]!(...rest);
  }
  const holder = { F: dyconv.functional, linalg: dyconv.linalg, '': dyconv }[space!]!;
  return (holder as unknown as Record<string, Callable>)[name!]!(...args);
}

function called(sample: Sample, inputs: readonly Tensor[]): unknown[] {
  const result = invoke(sample.call, sample.args, inputs);
  if (dyconv.isTensor(result) || typeof result !== 'object') return [result];
  if (Array.isArray(result)) return sample.outputs?.some((one) => 'value' in one) ? [result] : result;
  const entries = Object.entries(result as object);
  return entries.filter(([key]) => sample.pick?.includes(key) ?? true).map(([, value]) => value);
}

/** Relative and absolute tolerances of torch.testing.assert_close; doubled where sums have another order. */
const TOLERANCES: Partial<Record<DType, readonly [number, number]>> = {
  float64: [1e-7, 1e-7],
  float32: [2e-5, 2e-5],
  float16: [4e-3, 2e-3],
  bfloat16: [3.2e-2, 1e-2],
};

const wide = (x: Tensor): Float64Array => x.detach().dataSync({ dtype: 'float64' });

/**
 * Factor of the absolute tolerance. In a convolution of float16, terms as large as the largest result may
 * cancel in any other, and processors round these sums at different places.
 */
function widening({ call, dtype }: Sample, values: Float64Array): number {
  if (dtype !== 'float16' || !call.startsWith('F.conv')) return 1;
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
}

/** The difference, if any. */
function difference(sample: Sample, what: string, received: Tensor, wanted: Stored): string | undefined {
  if (received.dtype !== wanted.dtype) return `${what}: dtype ${received.dtype}, not ${wanted.dtype}`;
  if (String(received.shape) !== String(wanted.shape))
    return `${what}: shape [${received.shape}], not [${wanted.shape}]`;
  const values = wide(received);
  const others = wide(tensor(unpacked(wanted) as Float32Array, { dtype: wanted.dtype }));
  const [relative, exact] = TOLERANCES[wanted.dtype] ?? [0, 0];
  const absolute = exact * widening(sample, others);
  for (let i = 0; i < others.length; i++) {
    const [value, other] = [values[i]!, others[i]!];
    if (value === other || (Number.isNaN(value) && Number.isNaN(other))) continue;
    if (Math.abs(value - other) <= absolute + relative * Math.abs(other)) continue;
    return `${what}[${i}]: ${value}, not ${other}`;
  }
  return undefined;
}

/** The output gradients of make_op_db.py: numbers that every float dtype represents exactly. */
function weights(output: Tensor): Tensor {
  const numbers = Float64Array.from({ length: output.numel }, (_, i) => (((i * 7) % 13) - 6) / 4);
  return tensor(numbers).reshape(output.shape).to({ dtype: output.dtype });
}

function compare(sample: Sample, outputs: readonly unknown[], leaves: readonly Tensor[]): string | undefined {
  const wanted = sample.outputs!;
  if (outputs.length !== wanted.length) return `${outputs.length} results, not ${wanted.length}`;
  for (const [k, one] of wanted.entries()) {
    const received = outputs[k];
    if ('value' in one) {
      if (JSON.stringify(received) !== JSON.stringify(one.value))
        return `result ${k}: ${JSON.stringify(received)}, not ${JSON.stringify(one.value)}`;
      continue;
    }
    if (!dyconv.isTensor(received)) return `result ${k} is no Tensor`;
    const data = sample.random ? undefined : difference(sample, `result ${k}`, received, one);
    if (data !== undefined) return data;
    if (received.dtype !== one.dtype) return `result ${k}: dtype ${received.dtype}, not ${one.dtype}`;
    if (String(received.shape) !== String(one.shape))
      return `result ${k}: shape [${received.shape}], not [${one.shape}]`;
  }
  return sample.inplace || sample.random ? undefined : gradients(sample, outputs, leaves);
}

function gradients(
  sample: Sample,
  outputs: readonly unknown[],
  leaves: readonly Tensor[],
): string | undefined {
  const recorded = outputs.filter((one): one is Tensor => dyconv.isTensor(one) && one.requiresGrad);
  const trained = leaves.filter((leaf) => leaf.requiresGrad);
  const wanted = sample.grads;
  if (wanted === undefined)
    return recorded.length > 0 && trained.length > 0 ? 'a gradient where PyTorch has none' : undefined;
  if (wanted === 'error') return undefined;
  if (recorded.length === 0) return 'no gradient where PyTorch has one';
  const received = dyconv.autograd.grad(recorded, trained, {
    gradOutputs: recorded.map(weights),
    allowUnused: true,
  });
  for (const [k, one] of wanted.entries()) {
    const gradient = received[k] ?? null;
    if ((one === null) !== (gradient === null))
      return `gradient ${k}: ${gradient === null ? 'none' : 'one'}, PyTorch has ${one === null ? 'none' : 'one'}`;
    const data = one === null ? undefined : difference(sample, `gradient ${k}`, gradient!, one);
    if (data !== undefined) return data;
  }
  return undefined;
}

const SEED = 20261129;

/** Runs a sample. @returns What differs from PyTorch, or undefined. */
export function run(sample: Sample): string | undefined {
  return dyconv.tidy(() => {
    const leaves = sample.inputs.map(made);
    const inputs = sample.inplace ? [leaves[0]!.clone(), ...leaves.slice(1)] : leaves;
    dyconv.manualSeed(SEED);
    let outputs: unknown[];
    try {
      outputs = called(sample, inputs);
    } catch (error) {
      if (!(error instanceof dyconv.DyconvError)) return `an error without a class: ${error}`;
      if (sample.error === undefined) return `refused: ${error.message}`;
      // Wrong arguments are errors of shape, dtype or argument; PyTorch has no other classes.
      return error.code === 'ERR_NATIVE' ? `refused without a class: ${error.message}` : undefined;
    }
    if (sample.error !== undefined) return `accepted, PyTorch says ${sample.error}`;
    return compare(sample, outputs, leaves);
  });
}
