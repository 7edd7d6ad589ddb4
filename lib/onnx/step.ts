/**
 * A recorded step as its translation reads it: arguments by position, with their types checked.
 * @module
 */
import type { StoredSize, StoredSlot, StoredStep, StoredValue } from '../native/compile.js';
import { ExportStep } from '../program/export-step.js';
import { fromStart, numberOf, promotedDType, slotOf } from '../program/stored-value.js';
import { tidy } from '../tensor/context.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Graph, Value } from './graph.js';

/** What a step needs of its program. */
export interface Surroundings {
  /** The slots with sizes for the chosen batch. */
  readonly slots: readonly StoredSlot[];
  /** The key of a parameter or buffer, or another name for what is the same in every run. */
  nameOf(slot: number): string;
  /** The value that a slot has now. */
  valueOf(slot: number): Value;
  /** The elements of a slot that is the same in every run. */
  constantOf(slot: number): Tensor | undefined;
  /** Whether a later step or the output reads a slot. */
  isUsed(slot: number): boolean;
}

/** Makes the nodes of a step. @returns Its results, in their order. */
export type Translation = (step: Step) => Value | readonly Value[];

/** The translations of a family of operations, by name. */
export type Translations = Readonly<Record<string, Translation>>;

/** One step. */
export class Step extends ExportStep {
  readonly graph: Graph;
  readonly #around: Surroundings;

  constructor(graph: Graph, step: StoredStep, around: Surroundings) {
    super(graph, step, around.slots);
    this.graph = graph;
    this.#around = around;
  }

  /** @see Graph.node */
  node(...args: Parameters<Graph['node']>): Value {
    return this.graph.node(...args);
  }

  /** A tensor. */
  value(i: number): Value {
    return this.#around.valueOf(this.slot(i));
  }

  /** A tensor, or '' for none, which leaves an input out. */
  optional(i: number): Value {
    return this.isNull(i) ? '' : this.value(i);
  }

  /** The elements of a tensor that is the same in every run. */
  constant(i: number): Tensor | undefined {
    const slot = slotOf(this.argument(i));
    return slot === undefined ? undefined : this.#around.constantOf(slot);
  }

  /**
   * A tensor with the same elements in other dimensions; `arrange` may change their order. Where it is the same in every run, no
   * nodes are needed for that.
   */
  arranged(i: number, dims: readonly number[], arrange?: (elements: Tensor) => Tensor): Value | undefined {
    const slot = this.slot(i);
    const elements = this.#around.constantOf(slot);
    if (elements === undefined) return undefined;
    const name = this.#around.nameOf(slot);
    const { graph } = this;
    return graph.once(`${name} ${dims.join()} ${arrange !== undefined}`, () =>
      graph.initializer(
        name,
        arrange ? graph.own(tidy(() => arrange(elements.detach()).clone())) : elements,
        dims,
      ),
    );
  }

  /** The tensors of a list. */
  slots(i: number): number[] {
    return this.list(i).map((item) => this.tensorSlot(item));
  }

  override valueOf(slot: number): Value {
    return this.#around.valueOf(slot);
  }

  constantOf(slot: number): Tensor | undefined {
    return this.#around.constantOf(slot);
  }

  #resultSlot(j: number): number {
    const slot = this.stored.results[j];
    return typeof slot === 'number' ? slot : this.fail('has no result');
  }

  get count(): number {
    return this.stored.results.length;
  }

  resultDType(j = 0): DType {
    return this.infoOf(this.#resultSlot(j)).dtype;
  }

  resultSizes(j = 0): readonly StoredSize[] {
    return this.sizesOf(this.#resultSlot(j));
  }

  isUsed(j: number): boolean {
    const slot = this.stored.results[j];
    return typeof slot === 'number' && this.#around.isUsed(slot);
  }

  flag(i: number): boolean {
    return this.argument(i) === true;
  }

  /** Integers, none of which depends on the batch size. */
  integers(i: number): number[] {
    const list = this.argument(i);
    if (!Array.isArray(list)) return this.fail('needs a list of integers');
    return (list as readonly StoredValue[]).map(
      (item) => numberOf(item) ?? this.fail('needs integers that the batch size does not change'),
    );
  }

  /** An integer that may depend on the batch size. */
  integer(i: number): StoredSize {
    const value = this.argument(i);
    if (typeof value === 'object' && value !== null && 'batch' in value)
      return value.batch as readonly [number, number];
    return this.number(i);
  }

  /** A dimension counted from the beginning. */
  axis(i: number, rank: number): number {
    return fromStart(this.number(i), rank);
  }

  /** Dimensions counted from the beginning; undefined for all. */
  axes(i: number, rank: number): number[] | undefined {
    if (this.isNull(i)) return undefined;
    const list = this.argument(i);
    const axes = Array.isArray(list) ? this.integers(i) : [this.number(i)];
    return axes.length === 0 ? undefined : axes.map((axis) => fromStart(axis, rank));
  }

  /** A tensor or number as a value of a dtype of the program. */
  operand(i: number, dtype: DType): Value {
    const slot = slotOf(this.argument(i));
    if (slot === undefined) return this.graph.scalar(this.number(i), dtype);
    return this.graph.cast(this.valueOf(slot), this.infoOf(slot).dtype, dtype);
  }

  /** The same for arithmetic. @see Graph.term */
  term(i: number, dtype: DType): Value {
    const slot = slotOf(this.argument(i));
    return slot === undefined ? this.graph.term(this.number(i), dtype) : this.operand(i, dtype);
  }

  /** The dtype in which libtorch computes with tensors and numbers: of the highest kind, numbers and scalars last. */
  promoted(...positions: number[]): DType {
    return promotedDType(
      positions.map((i) => this.argument(i)),
      this.#around.slots,
    );
  }
}

/** The product of sizes; undefined where the batch size is one of them. */
export function product(sizes: readonly StoredSize[]): number | undefined {
  let result = 1;
  for (const size of sizes) {
    if (typeof size !== 'number') return undefined;
    result *= size;
  }
  return result;
}

/** Whether two sizes are the same for every batch size. */
export function sameSize(a: StoredSize | undefined, b: StoredSize | undefined): boolean {
  return String(a) === String(b) && a !== undefined;
}
