/**
 * Tensors of requests as one batch, and the rows of a batch as results of its requests.
 * @module
 */
import { invalidArgument, ShapeError } from '../errors.js';
import { inBlock, noGrad, type TidyBlock, tensorsIn, untidy } from '../tensor/context.js';
import { cat } from '../tensor/join.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';

/** A tensor, or several as an array: the inputs of a network. */
export type TensorInput = Tensor | readonly Tensor[];
/** What a network can return: a tensor, or several as an array or by name. */
export type TensorOutput = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

/** What a pool keeps of the input of a request. */
export interface Held {
  readonly input: unknown;
  /** Rows that it adds to a batch. */
  readonly rows: number;
  /** Equal for inputs that can be in one batch. */
  readonly key: string;
}

/** A batch that is joined from requests. */
export interface Joined {
  /** In the form of a request's input. */
  input: TensorInput;
  /** Disposes what the join created. */
  release: () => void;
}

/** The tensors of an input or output. */
export function tensorsOf(value: TensorInput | TensorOutput): Tensor[] {
  if (isTensor(value)) return [value];
  return Array.isArray(value) ? [...value] : Object.values(value as Record<string, Tensor>);
}

/** The same structure with other tensors. */
function mapTensors(value: TensorOutput, change: (tensor: Tensor) => Tensor): TensorOutput {
  if (isTensor(value)) return change(value);
  if (Array.isArray(value)) return value.map(change);
  return Object.fromEntries(Object.entries(value).map(([name, tensor]) => [name, change(tensor)]));
}

/** Disposes the tensors in a value of any type. */
export function disposeAll(value: unknown): void {
  for (const tensor of tensorsIn(value)) tensor.dispose();
}

/**
 * The number of rows of an input, and a key that is equal for inputs that can be joined.
 * @throws ArgumentError for a value that is not a tensor; ShapeError for a tensor without rows, or inputs with different
 * numbers of rows.
 */
export function describeInput(input: TensorInput): { rows: number; key: string } {
  const isList = Array.isArray(input);
  const tensors: readonly unknown[] = isList ? input : [input];
  if (tensors.length === 0) throw invalidArgument('input', 'a Tensor or an array of at least one', input);
  let rows: number | undefined;
  let key = isList ? 'list' : 'one';
  for (const [i, tensor] of tensors.entries()) {
    const name = isList ? `input[${i}]` : 'input';
    if (!isTensor(tensor)) throw invalidArgument(name, 'a Tensor', tensor);
    const { shape, dtype, device } = tensor;
    const [count, ...rest] = shape;
    if (count === undefined || count === 0)
      throw new ShapeError(`Expected [rows, ...] with at least one row for ${name} but received [${shape}]`);
    rows ??= count;
    if (count !== rows)
      throw new ShapeError(`Expected ${rows} rows, as in input[0], for ${name} but received ${count}`);
    key += `;${dtype},${device},${rest}`;
  }
  return { rows: rows!, key };
}

/** Other handles to the same tensors, outside any tidy block and without autograd: the caller can dispose its own. */
export function holdInput(input: TensorInput): TensorInput {
  return untidy(() => mapTensors(input, (tensor) => tensor.detach())) as TensorInput;
}

/** Tensors that the add-on holds, by number. */
export interface WaitingInputs {
  held: ReturnType<typeof native.waitingInputs>;
  /** Those of the run, which takes them. */
  numbers: readonly number[];
  /** The same tensors again, to repeat a request of a batch that fails; undefined for a batch of one. */
  spares: readonly (number | undefined)[];
}

/** The inputs of the requests of a pool: the add-on holds tensors, which this object refers to by number; it holds arrays of tensors itself. */
export class TensorHolder {
  readonly #held = native.waitingInputs();
  /** By number: another number of the same tensor; -1 for none. */
  readonly #spares: number[] = [];
  #key = '';
  #rows = 0;

  /**
   * Checks and holds an input. Most of a service are like the one before, which is found out, and the tensor held, in a native call;
   * another one holds it a second time, to repeat the request.
   * @param owned - The input belongs to the pool, and is disposed.
   */
  hold(input: unknown, owned: boolean): Held {
    const number = native.holdExpected(this.#held, input, false);
    if (number >= 0) {
      // A call costs less than a tensor object for each input, which would have to be kept in case the batch fails.
      this.#spares[number] = native.holdExpected(this.#held, input, owned);
      return { input: number, key: this.#key, rows: this.#rows };
    }
    try {
      const { key, rows } = describeInput(input as TensorInput);
      if (!isTensor(input)) return { input: holdInput(input as TensorInput), key, rows };
      this.#key = key;
      this.#rows = rows;
      const number = native.holdInput(this.#held, input, false);
      this.#spares[number] = native.holdInput(this.#held, input, owned);
      return { input: number, key, rows };
    } finally {
      if (owned) disposeAll(input);
    }
  }

  /** The inputs by number, if the add-on holds all of them. */
  waiting(inputs: readonly unknown[]): WaitingInputs | undefined {
    if (!inputs.every((input) => typeof input === 'number')) return undefined;
    const numbers = inputs as number[];
    const spares = numbers.map((number) => {
      const spare = this.#takeSpare(number);
      if (numbers.length > 1 || spare < 0) return spare < 0 ? undefined : spare;
      native.dropInput(this.#held, spare);
      return undefined;
    });
    return { held: this.#held, numbers, spares };
  }

  /** Inputs as tensors, which {@link release} takes as well. */
  take(inputs: readonly unknown[]): unknown[] {
    const numbers = inputs.filter((input) => typeof input === 'number');
    if (numbers.length === 0) return [...inputs];
    for (const number of numbers) this.#dropSpare(number);
    const tensors = untidy(() => native.takeInputs(this.#held, numbers)).values();
    return inputs.map((input) => (typeof input === 'number' ? tensors.next().value : input));
  }

  /** Frees an input. */
  release(input: unknown): void {
    if (typeof input === 'number') {
      this.#dropSpare(input);
      native.dropInput(this.#held, input);
    } else if (Array.isArray(input)) for (const tensor of input as readonly Tensor[]) tensor.dispose();
    else (input as Tensor).dispose();
  }

  #takeSpare(number: number): number {
    const spare = this.#spares[number] ?? -1;
    this.#spares[number] = -1;
    return spare;
  }

  #dropSpare(number: number): void {
    const spare = this.#takeSpare(number);
    if (spare >= 0) native.dropInput(this.#held, spare);
  }
}

/**
 * Inputs of requests as one batch. It is always a copy, also of one request: code of the user may change its input in place, or
 * return a view of it, and the memory is that of the caller.
 */
export function joinInputs(inputs: readonly TensorInput[]): Joined {
  const [first] = inputs;
  const join = (tensors: Tensor[]): Tensor => untidy(() => noGrad(() => cat(tensors)));
  const input = isTensor(first)
    ? join(inputs as Tensor[])
    : (first as readonly Tensor[]).map((_, i) => join(inputs.map((input) => (input as Tensor[])[i]!)));
  return { input, release: () => disposeAll(input) };
}

/**
 * Splits the output of a batch into the outputs of its requests, which are copies: an output that lives long does not keep the
 * memory of the batch. The output of a batch with one request is returned without a copy. Disposes the output of the batch.
 * @param rows - The rows of each request, and whether it still needs its result.
 * @returns A result for each request; undefined if it is not wanted.
 * @param input - The batch: an output that is the same tensor is copied.
 * @throws ShapeError when the output does not have a row for each row of the batch; ArgumentError when it is not made of tensors.
 */
export function splitOutput(
  output: TensorOutput,
  rows: readonly { count: number; wanted: boolean }[],
  input: TensorInput,
): (TensorOutput | undefined)[] {
  const inputs = new Set(tensorsOf(input));
  const tensors = checkOutput(output);
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  const release = () => {
    for (const tensor of tensors) if (!inputs.has(tensor)) tensor.dispose();
  };
  for (const { shape } of tensors) {
    if (shape[0] === total) continue;
    release();
    throw new ShapeError(
      `Expected [${total}, ...], a row for each input row, for the output but received [${shape}]`,
    );
  }
  if (rows.length === 1 && rows[0]!.wanted && !tensors.some((tensor) => inputs.has(tensor)))
    return [plainOutput(output)];
  let start = 0;
  const parts = untidy(() =>
    noGrad(() =>
      rows.map(({ count, wanted }) => {
        const from = start;
        start += count;
        return wanted ? mapTensors(output, (tensor) => copyRows(tensor, from, count)) : undefined;
      }),
    ),
  );
  release();
  return parts;
}

/**
 * The outputs that a program of the user returned for requests, without autograd's graph. A tensor that is also an input, or is
 * in two outputs, is copied: each request owns its output.
 * @throws ArgumentError when they are not an output for each request, made of tensors. They are disposed then.
 */
export function ownOutputs(outputs: unknown, inputs: readonly TensorInput[]): TensorOutput[] {
  const given = new Set(inputs.flatMap(tensorsOf));
  try {
    if (!Array.isArray(outputs) || outputs.length !== inputs.length)
      throw invalidArgument(
        'the result of runBatch',
        `an array of ${inputs.length} outputs (one for each request)`,
        outputs,
      );
    outputs.forEach(checkOutput);
  } catch (error) {
    for (const tensor of tensorsIn(outputs)) if (!given.has(tensor)) tensor.dispose();
    throw error;
  }
  const own = (tensor: Tensor): Tensor => {
    if (given.has(tensor)) return untidy(() => noGrad(() => tensor.clone()));
    given.add(tensor);
    return tensor.requiresGrad ? replaced(tensor) : tensor;
  };
  return (outputs as TensorOutput[]).map((output) => mapTensors(output, own));
}

/** @throws ArgumentError when an output is not made of tensors. */
function checkOutput(output: TensorOutput): Tensor[] {
  const expected = 'a Tensor, an array or a record of them';
  if (typeof output !== 'object' || output === null) throw invalidArgument('the output', expected, output);
  const tensors = tensorsOf(output);
  if (tensors.length === 0 || !tensors.every(isTensor)) throw invalidArgument('the output', expected, output);
  return tensors;
}

function copyRows(tensor: Tensor, start: number, count: number): Tensor {
  using rows = tensor.narrow(0, start, count);
  return rows.clone();
}

/** The output without autograd's graph. */
function plainOutput(output: TensorOutput): TensorOutput {
  return mapTensors(output, (tensor) => (tensor.requiresGrad ? replaced(tensor) : tensor));
}

/** Another handle to the same elements, made here. Disposes the given one. */
function replaced(tensor: Tensor): Tensor {
  using own = tensor;
  return own.detach();
}

/** The tensors of an output as tensors of a tidy block. Disposes the given ones. */
export function adoptOutput(output: TensorOutput, block: TidyBlock): TensorOutput {
  return inBlock(block, () => mapTensors(output, replaced));
}
