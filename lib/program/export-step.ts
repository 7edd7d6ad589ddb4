/**
 * What the exports share: the place that errors name, and recorded steps as their translations read them.
 * @module
 */
import { ArgumentError } from '../errors.js';
import type { StoredSize, StoredSlot, StoredStep, StoredValue } from '../native/compile.js';
import type { DType } from '../tensor/dtype.js';
import { describePlace, type Place } from './source.js';
import { numberOf, slotOf } from './stored-value.js';

/** The target of a translation. */
export abstract class ExportTarget {
  /** The name of the format, such as `ONNX`. */
  abstract readonly format: string;
  #place: Place = { layer: '', operation: '' };

  /** Names and errors of what follows refer to a step. */
  at(place: Place): void {
    this.#place = place;
  }

  protected get place(): Place {
    return this.#place;
  }

  /** Refuses the step, with the layer and the operation. */
  fail(problem: string): never {
    throw new ArgumentError(
      `Expected a network that ${this.format} can express but ${describePlace(this.#place)} ${problem}`,
    );
  }
}

/** A recorded step: arguments by position, with their types checked. */
export abstract class ExportStep {
  readonly #target: ExportTarget;
  readonly #slots: readonly StoredSlot[];
  protected readonly stored: StoredStep;

  /** @param slots - Of the program, with sizes for the chosen batch. */
  constructor(target: ExportTarget, stored: StoredStep, slots: readonly StoredSlot[]) {
    this.#target = target;
    this.#slots = slots;
    this.stored = stored;
  }

  /** @see ExportTarget.fail */
  fail(problem: string): never {
    return this.#target.fail(problem);
  }

  argument(i: number): StoredValue {
    return this.stored.arguments[i] ?? null;
  }

  isNull(i: number): boolean {
    return this.argument(i) === null;
  }

  text(i: number): string {
    return String(this.argument(i));
  }

  /** An integer or a float. */
  number(i: number): number {
    return numberOf(this.argument(i)) ?? this.fail('needs a number that is the same in every run');
  }

  /** Elements of a list; none for what is no list. */
  list(i: number): readonly StoredValue[] {
    const list = this.argument(i);
    return Array.isArray(list) ? (list as readonly StoredValue[]) : [];
  }

  /** The slot of a value, which has to be a tensor. */
  protected tensorSlot(value: StoredValue): number {
    return slotOf(value) ?? this.fail(`has a number where ${this.#target.format} needs a tensor`);
  }

  /** The slot of a tensor. */
  slot(i: number): number {
    return this.tensorSlot(this.argument(i));
  }

  infoOf(slot: number): StoredSlot {
    return this.#slots[slot]!;
  }

  dtype(i: number): DType {
    return this.infoOf(this.slot(i)).dtype;
  }

  /** Sizes of a slot. @throws ArgumentError where they depend on the elements of an input. */
  sizesOf(slot: number): readonly StoredSize[] {
    return this.infoOf(slot).sizes ?? this.fail('has a shape that depends on more than the batch size');
  }

  sizes(i: number): readonly StoredSize[] {
    return this.sizesOf(this.slot(i));
  }

  rank(i: number): number {
    return this.sizes(i).length;
  }

  /** A size that is the same in every run. */
  size(i: number, axis: number): number {
    const size = this.sizes(i).at(axis);
    return typeof size === 'number' ? size : this.fail('needs a size that the batch size does not change');
  }
}
