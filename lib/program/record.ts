/**
 * Records a forward, so that the add-on can make a program of it.
 * @module
 */
import { fileURLToPath } from 'node:url';
import { checkOptions, optionKeys } from '../check/index.js';
import { refusePromise } from '../check/promise.js';
import { ArgumentError, describe, invalidArgument, ShapeError } from '../errors.js';
import type { ProgramValue } from '../native/programs.js';
import { plainMode, tidy, untidy } from '../tensor/context.js';
import { cat } from '../tensor/join.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { withVisits } from './visits.js';

/** What is compiled: a module, or a function of tensors. */
export type Compilable<Out> = { forward(...inputs: never[]): Out } | ((...inputs: Tensor[]) => Out);

/** Options of {@link compile}. */
export interface CompileOptions {
  /**
   * Dtype of the computation. `'bfloat16'` casts weights and inputs, and outputs back to float32. Default `'float32'`: nothing is cast.
   * `Program.quantize` returns a program in int8.
   */
  dtype?: 'float32' | 'bfloat16' | undefined;
  /**
   * Whether the batch size, the first dimension of the inputs, may vary. False fixes it to that of the example. Default true.
   */
  dynamicBatch?: boolean | undefined;
  /** Merge steps, with the same result up to rounding. Default true. */
  optimize?: boolean | undefined;
}

const COMPILE_KEYS = optionKeys('dtype', 'dynamicBatch', 'optimize');

/** Batch sizes that are recorded in addition to that of the example: two of them determine an integer as a linear function, which the others confirm. */
const BATCHES = [1, 2, 3, 5];

/** The parts of a module that are used here. */
interface ModuleParts {
  forward(...inputs: Tensor[]): unknown;
  namedParameters(): Iterable<[string, Tensor]>;
  namedBuffers(): Iterable<[string, Tensor]>;
  namedModules(): Iterable<[string, { training: boolean }]>;
}

function partsOf(module: unknown): ModuleParts | undefined {
  const parts = module as Partial<Record<keyof ModuleParts, unknown>> | null;
  const methods = ['forward', 'namedParameters', 'namedBuffers', 'namedModules'] as const;
  if (typeof parts !== 'object' || parts === null) return undefined;
  return methods.every((name) => typeof parts[name] === 'function') ? (module as ModuleParts) : undefined;
}

function checkMode(module: ModuleParts): void {
  for (const [name, { training }] of module.namedModules()) {
    if (training)
      throw new ArgumentError(
        `Expected a module in evaluation mode for module but ${name === '' ? 'it' : name} is in training mode: call eval()`,
      );
  }
}

/** @internal One tensor, or several as an array. */
export function tensorsOf(x: Tensor | readonly Tensor[], name: string): Tensor[] {
  const inputs: unknown[] = Array.isArray(x) ? [...x] : [x];
  for (const [i, input] of inputs.entries())
    if (!isTensor(input))
      throw invalidArgument(
        Array.isArray(x) ? `${name}[${i}]` : name,
        'a Tensor or an array of tensors',
        input,
      );
  if (inputs.length === 0) throw invalidArgument(name, 'at least one Tensor', x);
  return inputs as Tensor[];
}

/**
 * @internal The example of an export to a file.
 * @param call - The function, for messages. A path in the place of the example is a call without one.
 */
export function exampleOf(example: Tensor | readonly Tensor[], call: string): Tensor[] {
  if (typeof example !== 'string') return tensorsOf(example, 'example');
  throw new ArgumentError(
    `Expected a Tensor or an array of tensors for example but received ${describe(example)}: call ${call}(network, example, file), also for a program`,
  );
}

/** The first `rows` rows, repeated if there are fewer. */
function withRows(input: Tensor, rows: number): Tensor {
  const available = input.shape[0]!;
  const copies = Math.ceil(rows / available);
  const enough = copies === 1 ? input : cat(Array.from({ length: copies }, () => input));
  return native.contiguous(native.narrow(enough, 0, 0, rows));
}

const PACKAGE = new URL('../', import.meta.url);
const OWN = [PACKAGE.href, fileURLToPath(PACKAGE), 'node:'];

/** The line of the caller's code that is running, such as `net.js:12:5`. */
function lineOfCaller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const stack = String(new Error().stack);
  Error.stackTraceLimit = limit;
  const frame = stack
    .split('\n')
    .slice(1)
    .find((line) => !OWN.some((folder) => line.includes(folder)));
  return /([^/\\( ]+:\d+:\d+)\)?$/.exec(frame ?? '')?.[1] ?? '';
}

/** The output with promises refused, which a forward of a service may return. */
function checkOutput(output: unknown): ProgramValue<Tensor> {
  refusePromise(output, 'Expected forward to return tensors but received a promise');
  let tensors = 0;
  const visit = (value: unknown, depth: number): void => {
    if (isTensor(value)) tensors++;
    else if (depth < 8 && typeof value === 'object' && value !== null)
      for (const item of Object.values(value)) visit(item, depth + 1);
  };
  visit(output, 0);
  if (tensors === 0)
    throw new ArgumentError(
      `Expected forward to return a Tensor, or an array or object of them, but received ${describe(output)}`,
    );
  return output as ProgramValue<Tensor>;
}

/** @internal What was recorded. */
export interface Recording {
  /** The add-on's number of the program. */
  readonly id: number;
  /**
   * Of every step as it was recorded, the innermost module whose forward was running, such as `features.3 (Conv2d)`; the line of the
   * caller's code where there is none.
   */
  readonly layers: readonly string[];
}

/** Tracks the position of the recording in the forward. */
class Position {
  readonly #names: ReadonlyMap<object, string>;
  readonly #running: string[] = [];
  /** By the text that the add-on keeps for a step. */
  readonly #layers = new Map<string, string>();

  constructor(parts: ModuleParts | undefined) {
    const modules = [...(parts?.namedModules() ?? [])];
    // A module that is used in several places is known by the first of them.
    this.#names = new Map(
      modules.reverse().map(([path, module]) => {
        const type = module.constructor.name;
        return [module, path === '' ? type : `${path} (${type})`];
      }),
    );
  }

  /** Runs `body`; forwards of modules are noted. */
  during<Out>(body: () => Out): Out {
    return withVisits((module, forward) => {
      this.#running.push(this.#names.get(module) ?? this.#running.at(-1) ?? module.constructor.name);
      try {
        return forward();
      } finally {
        this.#running.pop();
      }
    }, body);
  }

  /** The place of the call that is being recorded, for messages. */
  locate(): string {
    const line = lineOfCaller();
    const layer = this.#running.at(-1);
    const place = layer === undefined ? line : line === '' ? layer : `${line} in ${layer}`;
    this.#layers.set(place, layer ?? line);
    return place;
  }

  /** The layer of a place. */
  layerOf(place: string): string {
    return this.#layers.get(place) ?? '';
  }
}

/** @internal Records the forward at one or several batch sizes. */
export function recordProgram(
  module: Compilable<unknown>,
  example: Tensor | readonly Tensor[],
  options: CompileOptions,
): Recording {
  const { dtype = 'float32', dynamicBatch = true, optimize = true } = checkOptions(options, COMPILE_KEYS);
  if (dtype !== 'float32' && dtype !== 'bfloat16')
    throw invalidArgument(
      'dtype',
      "'float32' or 'bfloat16' (for int8, call quantize() of the program)",
      dtype,
    );
  for (const [name, value] of Object.entries({ dynamicBatch, optimize }))
    if (typeof value !== 'boolean') throw invalidArgument(name, 'a boolean', value);
  const inputs = tensorsOf(example, 'example');
  const parts = partsOf(module);
  if (parts === undefined && typeof module !== 'function')
    throw invalidArgument('module', 'a Module or a function of tensors', module);
  if (parts) checkMode(parts);
  const rows = inputs[0]!.shape[0];
  if (dynamicBatch && !rows)
    throw new ShapeError(
      `Expected a batch of at least 1 as the first dimension of example but received [${inputs[0]!.shape.join(', ')}]: { dynamicBatch: false } compiles it for this shape`,
    );
  const forward = parts ? (...x: Tensor[]) => parts.forward(...x) : (module as (...x: Tensor[]) => unknown);
  const state = parts ? [...parts.namedParameters(), ...parts.namedBuffers()] : [];
  const position = new Position(parts);
  native.recordingOpen(
    state.map(([name]) => name),
    state.map(([, tensor]) => tensor),
    () => position.locate(),
  );
  try {
    const batches = dynamicBatch ? [...new Set([...BATCHES, rows!])] : [];
    position.during(() => {
      for (const batch of dynamicBatch ? batches : [undefined])
        recordOnce(forward, inputs, (input) =>
          batch !== undefined && input.shape[0] === rows ? withRows(input, batch) : input,
        );
    });
    const id = native.compileRecording(batches, dtype === 'bfloat16', optimize);
    return { id, layers: native.compiledPlaces(id).map((place) => position.layerOf(place)) };
  } finally {
    native.recordingClose();
  }
}

function recordOnce(
  forward: (...inputs: Tensor[]) => unknown,
  example: readonly Tensor[],
  resize: (input: Tensor) => Tensor,
): void {
  plainMode(() =>
    untidy(() =>
      tidy(() => {
        // Separate tensors: an input that is also a parameter, or is given twice, could not be distinguished otherwise.
        const inputs = example.map((input) => native.detach(resize(input)));
        native.recordingBegin(inputs);
        try {
          const output = forward(...inputs);
          native.recordingPause();
          native.recordingFinish(checkOutput(output));
        } finally {
          native.recordingPause();
        }
      }),
    ),
  );
}
