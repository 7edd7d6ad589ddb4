/**
 * The layers of a model, like Paddle's `summary` and torchinfo.
 * @module
 */
import { checkOptions, checkRecord, type FieldKind, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import { type Device, type DType, itemSize } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { alignColumns, formatCount } from '../text.js';
import { type Cost, costOf, tensorsIn } from './cost.js';
import type { AnyModule, Module } from './module.js';

/** One layer, in the order in which the layers ran. */
export interface SummaryRow {
  /** Key of the layer in the model, such as `features.8`; `''` is the model itself. */
  name: string;
  /** Class of the layer, such as `Conv2d`. */
  type: string;
  /** Shape of its (last) output; of several tensors that of the first one; null without a tensor. */
  outputShape: number[] | null;
  /** Scalars in its parameters, without those of layers that have their own row. */
  parameters: number;
  /** Running means and variances. */
  statistics: number;
  /** Operations of all its calls; see {@link Summary.flops}. */
  flops: number;
  /** Bytes of its outputs. */
  outputBytes: number;
}

/** The summary of a model; print it for the table. */
export interface Summary {
  /** One row per layer, in the order of the calls. */
  rows: SummaryRow[];
  /** The given shape. */
  inputShape: number[];
  /** Scalars that are trained. */
  trainable: number;
  /** Scalars of frozen parameters. */
  nonTrainable: number;
  /** Running means and variances of batch norm. */
  statistics: number;
  /** Scalars in all buffers: statistics, counters and temperatures. */
  buffers: number;
  /** Parameters and statistics, counted as in the article: 7,526,794 for AlexNet. */
  total: number;
  /**
   * Floating-point operations of one forward of the input, a multiply-add as two. Counted are convolutions, linear and
   * recurrent layers, attention, and of dynamic convolutions the routing, the mixing of the kernels for every sample, and the
   * convolution. Biases, activations, softmax, pooling and normalization are not.
   */
  flops: number;
  /** Bytes of parameters and buffers. */
  parameterBytes: number;
  /** Bytes of the outputs of all layers: roughly the memory that training keeps for the backward pass. */
  activationBytes: number;
  /** The table. */
  toString(): string;
}

/** Options of {@link summary}. */
export interface SummaryOptions {
  /** Dtype of the input; default: that of the model's first parameter. */
  dtype?: DType | undefined;
  /** Device of the input; default: that of the model's first parameter. */
  device?: Device | undefined;
}

const SUMMARY_KEYS = optionKeys('dtype', 'device');

/** The recorded calls of one module. */
interface Call extends Cost {
  name: string;
  module: AnyModule;
  outputShape: number[] | null;
  outputBytes: number;
}

const bytesOf = (tensor: Tensor) => tensor.numel * itemSize(tensor.dtype);

/** Runs the model once on zeros and records every call, in the order in which the calls end. */
function record(model: Module, input: Tensor): Call[] {
  const calls = new Map<AnyModule, Call>();
  const modes = [...model.modules()].map((module) => ({ module, training: module.training }));
  const hooks = [...model.namedModules()].map(([name, module]) =>
    module.registerForwardHook((_, inputs, output) => {
      const outputs = tensorsIn(output);
      const bytes = outputs.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
      const before = calls.get(module);
      const { flops } = costOf(module, inputs, output);
      calls.set(module, {
        name,
        module,
        outputShape: outputs[0] ? [...outputs[0].shape] : null,
        outputBytes: (before?.outputBytes ?? 0) + bytes,
        flops: (before?.flops ?? 0) + flops,
      });
    }),
  );
  try {
    model.eval();
    noGrad(() =>
      tidy(() => {
        model.forward(input);
      }),
    );
  } finally {
    for (const hook of hooks) hook.remove();
    for (const { module, training } of modes) module.training = training;
  }
  return [...calls.values()];
}

const isStatistic = (key: string) => /(^|\.)running_(mean|var)$/.test(key);

/** The called module that owns a key: the one with the longest matching prefix. */
function ownerOf(key: string, names: ReadonlySet<string>): string {
  const parts = key.split('.');
  for (let length = parts.length - 1; length > 0; length--) {
    const name = parts.slice(0, length).join('.');
    if (names.has(name)) return name;
  }
  return '';
}

function sums(entries: Iterable<[string, Tensor]>, names: ReadonlySet<string>): Map<string, number> {
  const out = new Map<string, number>();
  for (const [key, { numel }] of entries) {
    const owner = ownerOf(key, names);
    out.set(owner, (out.get(owner) ?? 0) + numel);
  }
  return out;
}

/** Rows for every called module except pure containers. */
function rowsOf(model: Module, calls: readonly Call[]): SummaryRow[] {
  const names = new Set(calls.map(({ name }) => name));
  const parameters = sums(model.namedParameters(), names);
  const statistics = sums(
    [...model.namedBuffers()].filter(([key]) => isStatistic(key)),
    names,
  );
  const holdsCalled = (name: string) =>
    calls.some((call) => call.name !== name && (name === '' || call.name.startsWith(`${name}.`)));
  return calls.flatMap(({ name, module, outputShape, flops, outputBytes }) => {
    const own = { parameters: parameters.get(name) ?? 0, statistics: statistics.get(name) ?? 0 };
    if (holdsCalled(name) && own.parameters + own.statistics + flops === 0) return [];
    return [{ name, type: module.constructor.name, outputShape, ...own, flops, outputBytes }];
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

/** Operations with a prefix: `285.9 M`. */
function operations(flops: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  let unit = 0;
  let value = flops;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)}${units[unit]}`;
}

function table(result: Omit<Summary, 'toString'>): string {
  const heads = ['layer', 'name', 'output shape', 'parameters', 'statistics', 'FLOPs'];
  const cells = result.rows.map((row) => [
    row.type,
    row.name,
    row.outputShape ? `[${row.outputShape.join(', ')}]` : '-',
    row.parameters > 0 ? formatCount(row.parameters) : '-',
    row.statistics > 0 ? formatCount(row.statistics) : '-',
    row.flops > 0 ? operations(row.flops) : '-',
  ]);
  const lines = alignColumns([heads, ...cells], (column) => column >= 3);
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)));
  const facts = [
    [
      'Total parameters',
      `${formatCount(result.total)} (with ${formatCount(result.statistics)} batch-norm statistics)`,
    ],
    ['Trainable', formatCount(result.trainable)],
    ['Not trainable', formatCount(result.nonTrainable)],
    ['Buffers', formatCount(result.buffers)],
    ['FLOPs', `${operations(result.flops)} for input [${result.inputShape.join(', ')}]`],
    ['Parameters and buffers', megabytes(result.parameterBytes)],
    ['Activations', megabytes(result.activationBytes)],
  ];
  const note =
    'FLOPs: a multiply-add is two; convolutions, routing and mixing of dynamic ones, linear and recurrent layers, and attention are counted.';
  return [lines[0], rule, ...lines.slice(1), rule, ...alignColumns(facts, () => false), '', note].join('\n');
}

/** The methods of a module that a summary needs. */
const MODULE: Record<string, FieldKind> = {
  forward: 'function',
  eval: 'function',
  modules: 'function',
  parameters: 'function',
  namedModules: 'function',
  namedParameters: 'function',
  namedBuffers: 'function',
};

/**
 * Runs a model once on zeros, in evaluation mode and without gradients, and lists its layers with output shapes,
 * parameters and operations. Parameters, buffers and training modes are not changed.
 * @param model - a module that takes one tensor
 * @param inputShape - such as [1, 3, 128, 128]
 * @param options - dtype and device of the input; default: those of the first parameter
 * @throws ArgumentError for an invalid module or shape; errors of the model's forward
 * @example
 * console.log(String(report.summary(models.alexnetDy(), [1, 3, 128, 128])))
 */
export function summary(model: Module, inputShape: readonly number[], options: SummaryOptions = {}): Summary {
  checkRecord(model, 'model', 'a Module', MODULE);
  const valid =
    Array.isArray(inputShape) &&
    inputShape.length <= 64 &&
    inputShape.every((size) => Number.isInteger(size) && size >= 0);
  if (!valid) throw invalidArgument('inputShape', 'a list of sizes such as [1, 3, 128, 128]', inputShape);
  const parameters = [...model.parameters()];
  const first = parameters[0];
  const { dtype = first?.dtype ?? 'float32', device = first?.device as Device | undefined } = checkOptions(
    options,
    SUMMARY_KEYS,
  );
  const input = zeros(inputShape, { dtype, device });
  let calls: Call[];
  try {
    calls = record(model, input);
  } finally {
    input.dispose();
  }
  const rows = rowsOf(model, calls);
  const buffers = [...model.namedBuffers()];
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const trainable = add(parameters.map((tensor) => (tensor.requiresGrad ? tensor.numel : 0)));
  const all = add(parameters.map(({ numel }) => numel));
  const statistics = add(buffers.map(([key, { numel }]) => (isStatistic(key) ? numel : 0)));
  const result = {
    rows,
    inputShape: [...inputShape],
    trainable,
    nonTrainable: all - trainable,
    statistics,
    buffers: add(buffers.map(([, { numel }]) => numel)),
    total: all + statistics,
    flops: add(rows.map(({ flops }) => flops)),
    parameterBytes: add([...parameters, ...buffers.map(([, tensor]) => tensor)].map(bytesOf)),
    activationBytes: add(rows.map(({ outputBytes }) => outputBytes)),
  };
  return { ...result, toString: () => table(result) };
}
