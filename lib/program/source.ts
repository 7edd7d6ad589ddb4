/**
 * The steps that are exported: as they were recorded, before passes, with everything computed that is the same in every run.
 * @module
 */
import { ArgumentError, ShapeError } from '../errors.js';
import type { StoredGraph, StoredSize, StoredSlot, StoredStep, StoredValue } from '../native/compile.js';
import { plainMode } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { Program } from './program.js';
import { type Compilable, recordProgram } from './record.js';
import { isBatched, slotOf, slotsIn } from './stored-value.js';

/** A program to export. */
export interface Source {
  readonly graph: StoredGraph;
  /** For every step, its layer; empty if it is not known. */
  readonly layers: readonly string[];
  /** The tensors that are the same in every run, by slot. */
  readonly constants: ReadonlyMap<number, Tensor>;
  /** Frees the tensors. */
  dispose(): void;
}

/** A step that is being translated, for messages. */
export interface Place {
  /** The layer, such as `features.3 (Conv2d)`, or a line of code; '' where neither is known. */
  readonly layer: string;
  /** Public name of the operation. */
  readonly operation: string;
}

/** `relu() of features.3 (ReLU)`, or `relu() at net.js:12:5`. */
export function describePlace({ layer, operation }: Place): string {
  if (layer === '') return `${operation}()`;
  return `${operation}() ${/:\d+:\d+$/.test(layer) ? 'at' : 'of'} ${layer}`;
}

/** The place of a step. */
export function placeOf({ layers, graph }: Source, i: number): Place {
  return {
    layer: layers[i] ?? '',
    operation: graph.steps[i]!.operation.replace(/InPlace$/, '_'),
  };
}

/** From `features.3 (Conv2d)` the path and a separator; '' for a line of code and for the network itself. */
export function pathOf(layer: string, separator = '.'): string {
  const [, path] = /^(.*) \(\w+\)$/.exec(layer) ?? [];
  return path === undefined ? '' : `${path}${separator}`;
}

/** An attention [B, K], and its name. */
export interface Attention {
  readonly slot: number;
  /** `<path of the layer>.attention`; the same for every run of a layer. */
  readonly name: string;
}

/**
 * The attentions of the dynamic convolutions, in the order in which they run.
 * @throws ArgumentError for a network without any.
 */
export function attentionsOf({ graph, layers }: Source): Attention[] {
  const found = graph.steps.flatMap(({ operation, arguments: args }, i) => {
    const slot = operation === 'dynamicConv2d' ? slotOf(args[2]) : undefined;
    return slot === undefined ? [] : [{ slot, name: `${pathOf(layers[i] ?? '')}attention` }];
  });
  if (found.length > 0) return found;
  throw new ArgumentError(
    'Expected a network with dynamic convolutions for attention but received one without',
  );
}

/**
 * Records a module, or reads a program.
 * @param dynamicBatch - Undefined: free for a module, and as it was compiled for a program.
 * @throws ArgumentError for a network that cannot be compiled. @throws ShapeError for an example that does not fit a program.
 */
export function openSource(
  network: Compilable<unknown> | Program<unknown>,
  example: readonly Tensor[],
  dynamicBatch: boolean | undefined,
): Source {
  if (network instanceof Program)
    return readSource(network.id, network.layers, batchOf(network, example, dynamicBatch));
  const recording = { dynamicBatch: dynamicBatch ?? true, optimize: false };
  const { id, layers } = recordProgram(network, example, recording);
  try {
    return readSource(id, layers, undefined);
  } finally {
    native.disposeProgram(id);
  }
}

/** The batch size to which a program is fixed; undefined leaves it free. @throws ShapeError for an example that does not fit. */
function batchOf(
  program: Program<unknown>,
  example: readonly Tensor[],
  free: boolean | undefined,
): number | undefined {
  const { inputs, slots, dynamicBatch } = native.compiledSource(program.id);
  if (free === true && !dynamicBatch)
    throw new ArgumentError(
      'Expected a program with a free batch size for dynamicBatch: compile it with dynamicBatch',
    );
  let batch: number | undefined;
  const fits = inputs.every((slot, i) => {
    const [shape, sizes] = [example[i]?.shape, slots[slot]!.sizes];
    return (
      shape !== undefined &&
      shape.length === sizes?.length &&
      sizes.every((size, axis) => {
        if (typeof size === 'number') return size === shape[axis];
        batch ??= shape[axis];
        return shape[axis] === batch;
      })
    );
  });
  if (!fits || inputs.length !== example.length)
    throw new ShapeError(
      `Expected an example like the ${inputs.length === 1 ? 'input' : 'inputs'} of the program but received ${example.map(({ shape }) => `[${shape.join(', ')}]`).join(', ')}`,
    );
  return free === false ? batch : undefined;
}

/**
 * Reads a program of the add-on.
 * @param batch - Fixes the batch size; undefined leaves it unchanged.
 */
function readSource(program: number, layers: readonly string[], batch: number | undefined): Source {
  const stored = native.compiledSource(program);
  const graph = batch === undefined ? stored : withBatch(stored, batch);
  const [, tensors] = native.compiledState(program);
  const isFixed = ({ kind }: StoredSlot) => kind === 'parameter' || kind === 'constant';
  const fixed = graph.slots.flatMap((slot, i) => (isFixed(slot) ? [i] : []));
  const constants = new Map(fixed.map((slot, i) => [slot, tensors[i]!]));
  const dispose = () => {
    for (const tensor of constants.values()) tensor.dispose();
  };
  try {
    const known = new Set(fixed);
    const once = graph.steps.map((step) => isConstant(step, known));
    for (const [slot, tensor] of evaluate(graph, once, tensors)) constants.set(slot, tensor);
    const kept = (_: unknown, i: number) => !once[i];
    return {
      graph: { ...graph, steps: graph.steps.filter(kept) },
      layers: layers.filter(kept),
      constants,
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Whether a step has the same results in every run. Its results are then added to `known`. */
function isConstant(step: StoredStep, known: Set<number>): boolean {
  const constant =
    !step.pinned &&
    !step.arguments.some(isBatched) &&
    step.arguments.flatMap(slotsIn).every((slot) => known.has(slot)) &&
    step.results.every((slot) => slot !== null);
  if (constant) for (const slot of step.results) known.add(slot!);
  return constant;
}

/** Computes the constant steps; of their results, those that other steps or the output read. */
function evaluate(
  graph: StoredGraph,
  once: readonly boolean[],
  tensors: readonly Tensor[],
): [number, Tensor][] {
  const steps = graph.steps.filter((_, i) => once[i]);
  const made = new Set(steps.flatMap(({ results }) => results));
  const rest = graph.steps.filter((_, i) => !once[i]).flatMap((step) => step.arguments.flatMap(slotsIn));
  const needed = [...new Set([...rest, ...slotsIn(graph.output)])].filter((slot) => made.has(slot));
  if (needed.length === 0) return [];
  const output = needed.map((slot) => ({ slot }));
  const program = plainMode(() =>
    native.loadCompiled(
      { dynamicBatch: false, slots: graph.slots, inputs: [], steps, output },
      tensors,
      false,
      false,
    ),
  );
  try {
    const results = native.runProgram(program, []) as readonly Tensor[];
    return needed.map((slot, i) => [slot, results[i]!]);
  } finally {
    native.disposeProgram(program);
  }
}

/** The graph for one batch size. */
function withBatch(graph: StoredGraph, batch: number): StoredGraph {
  const at = ([factor, offset]: readonly [number, number]) => factor * batch + offset;
  const fixedSize = (size: StoredSize) => (typeof size === 'number' ? size : at(size));
  const fixedValue = (value: StoredValue): StoredValue => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return (value as readonly StoredValue[]).map(fixedValue);
    return 'batch' in value ? at(value.batch as readonly [number, number]) : value;
  };
  return {
    ...graph,
    dynamicBatch: false,
    slots: graph.slots.map((slot) => ({ ...slot, sizes: slot.sizes?.map(fixedSize) ?? null })),
    steps: graph.steps.map((step) => ({ ...step, arguments: step.arguments.map(fixedValue) })),
  };
}
