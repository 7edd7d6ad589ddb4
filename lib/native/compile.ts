/**
 * The table of cpp/bindings/compile.cc.
 * @module
 */
import type { ProgramValue } from './programs.js';
import type { DType, Handle } from './types.js';

/** A size of a tensor: a number, or [factor, offset] of the batch size. */
export type StoredSize = number | readonly [factor: number, offset: number];

/** A tensor of a program. */
export interface StoredSlot {
  readonly kind: 'input' | 'parameter' | 'constant' | 'value';
  /** Key of a parameter or buffer; '' otherwise. */
  readonly name: string;
  /** Null where they depend on more than the batch size. */
  readonly sizes: readonly StoredSize[] | null;
  readonly dtype: DType;
  readonly device: string;
}

/** An argument of a step, as cpp/program/description.h describes it. */
export type StoredValue =
  | null
  | boolean
  | number
  | string
  | readonly StoredValue[]
  | { readonly slot: number }
  | { readonly batch: readonly [factor: number, offset: number] }
  | { readonly number: string }
  | { readonly integer: string }
  | { readonly record: { readonly [key: string]: StoredValue } };

/** One step of a program. */
export interface StoredStep {
  readonly operation: string;
  readonly arguments: readonly StoredValue[];
  /** Slots; null for a result that is no tensor. */
  readonly results: readonly (number | null)[];
  /** Takes part in a change in place. */
  readonly pinned: boolean;
}

/** Which layers compute in int8; slots of the recording. */
export interface StoredQuantization {
  /** Slots of their results. */
  readonly layers: readonly number[];
  /** value = (number - zeroPoint) * scale. */
  readonly ranges: readonly { readonly slot: number; readonly scale: string; readonly zeroPoint: number }[];
}

/** A program without its tensors. */
export interface StoredGraph {
  readonly dynamicBatch: boolean;
  readonly slots: readonly StoredSlot[];
  readonly inputs: readonly number[];
  readonly steps: readonly StoredStep[];
  readonly output: StoredValue;
  readonly quantization?: StoredQuantization | null;
}

/** The steps that run. */
export interface Listing extends StoredGraph {
  /** For each step, whether it depends only on parameters and therefore runs once. */
  readonly once: readonly boolean[];
  /** Whether the rows of a batch are computed separately. */
  readonly independentRows: boolean;
}

/** Compiling networks: recording a forward, programs of recordings and of files. */
export interface CompileTable<T extends Handle> {
  /** `locate` returns the line of the caller's code, '' where it is not known. */
  recordingOpen(names: readonly string[], tensors: readonly T[], locate: () => string): void;
  recordingBegin(inputs: readonly T[]): void;
  recordingPause(): void;
  recordingFinish(output: ProgramValue<T>): void;
  recordingClose(): void;
  isRecording(): boolean;
  /** The number of the program. `batches`: rows of the recordings. */
  compileRecording(batches: readonly number[], bfloat16: boolean, optimize: boolean): number;
  loadCompiled(description: StoredGraph, tensors: readonly T[], bfloat16: boolean, optimize: boolean): number;
  compiledSource(program: number): StoredGraph;
  /** For every step of the source, the result of `locate`; '' for programs of files. */
  compiledPlaces(program: number): string[];
  compiledListing(program: number): Listing;
  compiledState(program: number): [names: string[], tensors: T[]];
  /** In how many parts a batch runs best, each on one thread. */
  programParts(program: number, rows: number, threads: number): number;
  /** For a program in float32, the layers that can compute in int8; `range`: slot of the value whose range the input has. */
  quantizableLayers(
    program: number,
  ): [result: number, range: number, path: string, first: boolean, last: boolean][];
  refreshCompiled(program: number): void;
  profileCompiled(
    program: number,
    inputs: readonly ProgramValue<T>[],
  ): [step: number, start: number, duration: number][];
}
