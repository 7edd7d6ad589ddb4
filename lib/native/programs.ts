/**
 * The table of cpp/bindings/programs.cc.
 * @module
 */
import type { Handle } from './types.js';

declare const WAITING_INPUTS: unique symbol;

/** Tensors that wait for a batch, by number. */
export interface WaitingInputs {
  readonly [WAITING_INPUTS]: true;
}

/** An input or output of a program. */
export type ProgramValue<T> =
  | T
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly ProgramValue<T>[]
  | { readonly [key: string]: ProgramValue<T> };

/** Programs, by number: those of nn.compile(), loadTorchScript() and loadPackage(). */
export interface ProgramsTable<T extends Handle> {
  runProgram(program: number, inputs: readonly ProgramValue<T>[]): ProgramValue<T>;
  /** `ticket`: a number for `cancelRun`; `threads`: for parallel loops, 0 means a fair share. */
  runProgramAsync(
    program: number,
    inputs: readonly ProgramValue<T>[],
    ticket: number,
    threads: number,
  ): Promise<ProgramValue<T>>;
  /** The input of each request, or an array of its inputs, joined to one batch; resolves to the output of each. */
  runBatchAsync(
    program: number,
    requests: readonly ProgramValue<T>[],
    ticket: number,
    threads: number,
  ): Promise<readonly ProgramValue<T>[]>;
  /** Removes a run that has not started: its promise resolves to undefined. False if it has started. */
  cancelRun(ticket: number): boolean;
  /** {@link runBatchAsync} of inputs that wait, each of a request; takes them. */
  runWaitingAsync(
    program: number,
    inputs: WaitingInputs,
    numbers: readonly number[],
    ticket: number,
    threads: number,
  ): Promise<readonly ProgramValue<T>[]>;
  waitingInputs(): WaitingInputs;
  /**
   * Holds a tensor that is like the last one of {@link holdInput}, without its graph; -1 for anything else. `owned`: the tensor is disposed.
   */
  holdExpected(inputs: WaitingInputs, input: unknown, owned: boolean): number;
  holdInput(inputs: WaitingInputs, input: T, owned: boolean): number;
  /** The tensors with these numbers, which are free then. */
  takeInputs(inputs: WaitingInputs, numbers: readonly number[]): T[];
  dropInput(inputs: WaitingInputs, number: number): void;
  /** Another number for the program, with a separate queue of runs. */
  openProgram(program: number): number;
  disposeProgram(program: number): void;
  loadTorchScript(path: string, device: string): Promise<number>;
  loadPackage(path: string, device: string): Promise<number>;
  /**
   * Compiles the source of a method `forward` and writes a module with it to an open file. `names`: the paths of the tensors, which
   * the source reads as attributes. Resolves to the number of bytes, or minus the error number of write().
   */
  saveTorchScript(
    file: number,
    className: string,
    source: string,
    names: readonly string[],
    tensors: readonly T[],
    metadata: string,
  ): Promise<number>;
  /** For a program of the two loaders: the description in its file. */
  describeProgram(program: number): ProgramValue<T>;
  /** Parameters and buffers by name. */
  programState(program: number): ProgramValue<T>;
}
