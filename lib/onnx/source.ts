/**
 * The steps that are exported: as they were recorded, before passes, with everything computed that is the same in every run.
 * @module
 */
import type { StoredGraph, StoredSize, StoredSlot, StoredStep, StoredValue } from '../native/compile.js';
import { plainMode } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';

/** A program to export. */
export interface Source {
  readonly graph: StoredGraph;
  /** Of every step, the layer it belongs to; empty where it is not known. */
  readonly layers: readonly string[];
  /** The tensors that are the same in every run, by slot. */
  readonly constants: ReadonlyMap<number, Tensor>;
  /** Frees the tensors. */
  dispose(): void;
}

/**
 * Reads a program of the add-on.
 * @param batch - Fixes the batch size; undefined leaves it as it is.
 */
export function readSource(program: number, layers: readonly string[], batch: number | undefined): Source {
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

/** The slots in an argument, at any depth. */
export function slotsIn(value: StoredValue): number[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return (value as readonly StoredValue[]).flatMap(slotsIn);
  if ('slot' in value) return [value.slot as number];
  return 'record' in value ? Object.values(value.record).flatMap(slotsIn) : [];
}

/** Whether an argument depends on the batch size. */
function isBatched(value: StoredValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return (value as readonly StoredValue[]).some(isBatched);
  return 'batch' in value;
}

/** Whether a step gives the same in every run. Its results are then added to `known`. */
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
