/**
 * The two kinds of requests: tensors, which are concatenated, and other values, which are passed as an array.
 * @module
 */
import { invalidArgument } from '../errors.js';
import type { TidyBlock } from '../tensor/context.js';
import {
  adoptOutput,
  describeInput,
  disposeAll,
  type Held,
  holdInput,
  joinInputs,
  splitOutput,
  TensorHolder,
  type TensorInput,
  type TensorOutput,
  type WaitingInputs,
} from './rows.js';

/** Keeps the inputs of the requests of a pool. */
export interface Holder {
  /** Checks and keeps an input. `owned`: it belongs to the pool, not to the caller. @throws for an invalid one. */
  hold(input: unknown, owned: boolean): Held;
  /** What {@link hold} kept, if the add-on has all of it. An engine that takes it also frees it. */
  waiting(inputs: readonly unknown[]): WaitingInputs | undefined;
  /** What {@link hold} kept, as {@link Collation.join} and engines take it. */
  take(inputs: readonly unknown[]): unknown[];
  /** Frees what {@link hold} kept or {@link take} returned. */
  release(input: unknown): void;
}

/** What a pool does with inputs and outputs of one kind. */
export interface Collation {
  /** Number of rows, and a key that is equal for inputs that can be in one batch. @throws for an invalid input. */
  describe(input: unknown): { rows: number; key: string };
  /** Another handle to an input that belongs to the caller. */
  hold(input: unknown): unknown;
  /** For the requests of one pool. */
  holder(): Holder;
  /** Inputs as one batch. */
  join(inputs: readonly unknown[]): { input: unknown; release: () => void };
  /** A result for each request: undefined if it is not wanted, an Error for a request that failed. */
  split(output: unknown, rows: readonly { count: number; wanted: boolean }[], input: unknown): unknown[];
  /** Moves a result to the tidy block of the caller. */
  adopt(result: unknown, block: TidyBlock): unknown;
  /** Frees what {@link hold} returned, a result that nobody takes, or an input that was not checked. */
  dispose(value: unknown): void;
}

const tensors: Collation = {
  describe: (input) => describeInput(input as TensorInput),
  hold: (input) => holdInput(input as TensorInput),
  holder: () => new TensorHolder(),
  join: (inputs) => joinInputs(inputs as TensorInput[]),
  split: (output, rows, input) => splitOutput(output as TensorOutput, rows, input as TensorInput),
  adopt: (result, block) => adoptOutput(result as TensorOutput, block),
  dispose: disposeAll,
};

const values: Collation = {
  describe: () => ({ rows: 1, key: '' }),
  hold: (input) => input,
  holder: () => ({
    hold: (input) => ({ input, rows: 1, key: '' }),
    waiting: () => undefined,
    take: (inputs) => [...inputs],
    release: () => {},
  }),
  join: (inputs) => ({ input: inputs, release: () => {} }),
  split(output, rows) {
    if (!Array.isArray(output) || output.length !== rows.length)
      throw invalidArgument('the output', `an array of ${rows.length} results, one for each input`, output);
    return output;
  },
  adopt: (result) => result,
  dispose: () => {},
};

/** Collations by the option `inputs` of a pool. */
export const COLLATIONS = { tensors, values } as const;
