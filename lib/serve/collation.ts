/**
 * The two kinds of requests: tensors, which are concatenated, and other values, which are passed as an array.
 * @module
 */
import { invalidArgument } from '../errors.js';
import {
  adoptOutput,
  describeInput,
  disposeAll,
  holdInput,
  joinInputs,
  splitOutput,
  type TensorInput,
  type TensorOutput,
} from './rows.js';

/** What a pool does with inputs and outputs of one kind. */
export interface Collation {
  /** Number of rows, and a key that is equal for inputs that can be in one batch. @throws for an invalid input. */
  describe(input: unknown): { rows: number; key: string };
  /** What the pool keeps of an input that belongs to the caller. */
  hold(input: unknown): unknown;
  /** Inputs as one batch. */
  join(inputs: readonly unknown[]): { input: unknown; release: () => void };
  /** A result for each request: undefined if it is not wanted, an Error for a request that failed. */
  split(output: unknown, rows: readonly { count: number; wanted: boolean }[], input: unknown): unknown[];
  /** Passes a result to the caller, in the caller's asynchronous context. */
  adopt(result: unknown): unknown;
  /** Frees what {@link hold} returned, or a result that nobody takes. */
  dispose(value: unknown): void;
}

const tensors: Collation = {
  describe: (input) => describeInput(input as TensorInput),
  hold: (input) => holdInput(input as TensorInput),
  join: (inputs) => joinInputs(inputs as TensorInput[]),
  split: (output, rows, input) => splitOutput(output as TensorOutput, rows, input as TensorInput),
  adopt: (result) => adoptOutput(result as TensorOutput),
  dispose: disposeAll,
};

const values: Collation = {
  describe: () => ({ rows: 1, key: '' }),
  hold: (input) => input,
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
