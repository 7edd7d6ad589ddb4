/**
 * Custom operations with their own gradient.
 * @module
 */
import { ArgumentError, describe, invalidArgument } from '../errors.js';
import { isGradEnabled, noGrad, tidy, withGrad } from './context.js';
import { isTensor, native, type Tensor } from './tensor.js';

/** The context of `forward` and `backward` of one call. Custom fields may be set on it for values that are not tensors. */
export class FunctionContext {
  /** Custom fields, such as `ctx.exponent = 3`. */
  [field: string]: unknown;
  /** For each argument, whether it is a Tensor whose gradient is needed. */
  readonly needsInputGrad: readonly boolean[];
  readonly #state: ContextState;

  /** @internal */
  constructor(needsInputGrad: readonly boolean[], state: ContextState) {
    this.needsInputGrad = needsInputGrad;
    this.#state = state;
  }

  /**
   * Saves inputs, outputs or intermediate tensors for `backward`, which gets them from {@link savedTensors}. They must exist until
   * `forward` returns; their handles may be disposed afterwards. Tensors kept in fields instead are not checked for changes
   * in the meantime, and an output in a field is never freed.
   */
  saveForBackward(...tensors: Tensor[]): void {
    for (const tensor of tensors) {
      if (!isTensor(tensor)) throw invalidArgument('tensors', 'Tensors', tensor);
    }
    this.#state.toSave = tensors;
  }

  /** In `backward`: the tensors of {@link saveForBackward}, in order. */
  get savedTensors(): Tensor[] {
    return this.#state.saved;
  }

  /** In `forward`: these outputs have no gradient, such as indices. */
  markNonDifferentiable(...outputs: Tensor[]): void {
    for (const output of outputs) {
      if (!isTensor(output)) throw invalidArgument('outputs', 'Tensors', output);
      this.#state.nonDifferentiable.add(output);
    }
  }

  /** Whether `backward` gets zeros instead of null for outputs without a gradient. Default true. */
  setMaterializeGrads(value: boolean): void {
    if (typeof value !== 'boolean') throw invalidArgument('value', 'a boolean', value);
    this.#state.materialize = value;
  }
}

interface ContextState {
  toSave: readonly Tensor[];
  saved: Tensor[];
  readonly nonDifferentiable: Set<Tensor>;
  materialize: boolean;
}

/** One tensor or several. */
type Tensors = Tensor | readonly Tensor[];

/** Result of `backward`: one gradient per argument; null if there is none, for example for numbers. */
export type Gradients = Tensor | null | readonly (Tensor | null)[];

/** Forward and backward of a custom function. */
export interface FunctionDefinition<Args extends unknown[], Out extends Tensors> {
  /** Name in messages. Default `'CustomFunction'`. */
  name?: string | undefined;
  /** Computes the result; nothing in it is recorded. */
  forward(ctx: FunctionContext, ...args: Args): Out;
  /**
   * The gradients of the arguments from those of the outputs, one each in their order: a Tensor of the argument's shape,
   * or null. Recorded when the pass itself is (`createGraph`), so that operations used here have higher derivatives.
   * Tensors created in or passed to this call are disposed at its end, except returned ones; use `keep()` for others.
   */
  backward(ctx: FunctionContext, ...gradients: Tensor[]): Gradients;
}

/**
 * Defines an operation with its own gradient, like torch.autograd.Function.
 * Errors of `forward` or `backward` are thrown to the caller unchanged. `backward` runs on the thread that called the
 * function, during the pass; for CUDA tensors, whose passes run on threads of libtorch's, it is refused.
 * @returns A function of the arguments of `forward`.
 * @throws ArgumentError when `forward` returns no Tensor, or `backward` not one gradient per argument.
 * @see https://pytorch.org/docs/stable/notes/extending.html
 * @example
 * const cube = autograd.defineFunction({
 *   forward(ctx, x: Tensor) {
 *     ctx.saveForBackward(x);
 *     return x.pow(3);
 *   },
 *   backward(ctx, gradient) {
 *     const [x] = ctx.savedTensors;
 *     return gradient.mul(x!.square().mul(3));
 *   },
 * });
 * cube(tensor([1, 2], { requiresGrad: true })).sum().backward();
 */
export function defineFunction<Args extends unknown[], Out extends Tensors>(
  definition: FunctionDefinition<Args, Out>,
): (...args: Args) => Out {
  const { name = 'CustomFunction' } = definition ?? {};
  if (typeof name !== 'string') throw invalidArgument('name', 'a string', name);
  for (const half of ['forward', 'backward'] as const) {
    if (typeof definition?.[half] !== 'function')
      throw invalidArgument(half, 'a function', definition?.[half]);
  }
  return (...args) => apply(definition, name, args);
}

function apply<Args extends unknown[], Out extends Tensors>(
  definition: FunctionDefinition<Args, Out>,
  name: string,
  args: Args,
): Out {
  const needed = args.map((arg) => isGradEnabled() && isTensor(arg) && arg.requiresGrad);
  const state: ContextState = { toSave: [], saved: [], nonDifferentiable: new Set(), materialize: true };
  const ctx = new FunctionContext(needed, state);
  const returned = noGrad(() => definition.forward(ctx, ...args));
  const list = outputsOf(name, returned);
  // A returned argument, and a result that is returned twice, get a new tensor.
  const outputs = list.map((output, i) =>
    args.includes(output) || list.indexOf(output) !== i ? output.detach() : output,
  );
  if (needed.includes(true)) {
    native.customFunction(
      `${name}Backward`,
      args.filter((arg): arg is Tensor => isTensor(arg)),
      outputs,
      list.map((output) => !state.nonDifferentiable.has(output)),
      state.toSave,
      state.materialize,
      backwardOf(definition, name, ctx, state, args.map(isTensor)),
    );
  }
  // From now on the graph refers to the context, which must not refer to the graph's tensors.
  state.toSave = [];
  state.nonDifferentiable.clear();
  return (isTensor(returned) ? outputs[0] : outputs) as Out;
}

function outputsOf(name: string, returned: unknown): Tensor[] {
  const list: readonly unknown[] = Array.isArray(returned) ? returned : [returned];
  const wrong = list.findIndex((output) => !isTensor(output));
  if (list.length === 0) throw new ArgumentError(`Expected at least one Tensor from forward of ${name}`);
  if (wrong === -1) return list as Tensor[];
  throw new ArgumentError(`Expected Tensors from forward of ${name} but received ${describe(list[wrong])}`);
}

/**
 * The function of a call's node. It is created here and not in `apply`: a closure keeps everything its function knows, and outputs
 * kept by their own node would never be freed.
 */
function backwardOf<Args extends unknown[], Out extends Tensors>(
  definition: FunctionDefinition<Args, Out>,
  name: string,
  ctx: FunctionContext,
  state: ContextState,
  tensors: readonly boolean[],
): (gradients: (Tensor | null)[], saved: Tensor[]) => void {
  return (gradients, saved) => {
    // The grad mode is that of the pass, which is not in the context of this code.
    withGrad(native.isGradEnabled(), () =>
      tidy(() => {
        state.saved = saved;
        try {
          const returned = definition.backward(ctx, ...(gradients as Tensor[]));
          native.returnGradients(perTensor(name, returned, tensors));
        } finally {
          state.saved = [];
        }
      }),
    );
  };
}

/** The gradients of the arguments that are tensors, out of those of all arguments. */
function perTensor(name: string, returned: Gradients, tensors: readonly boolean[]): (Tensor | null)[] {
  const list: readonly unknown[] = Array.isArray(returned) ? returned : [returned];
  if (list.length !== tensors.length) {
    throw new ArgumentError(
      `Expected ${tensors.length} gradients from backward of ${name}, one per argument, but received ${list.length}`,
    );
  }
  list.forEach((gradient, i) => {
    if (gradient === null || gradient === undefined) return;
    if (!isTensor(gradient) || !tensors[i]) {
      throw new ArgumentError(
        `Expected ${tensors[i] ? 'a Tensor or null' : 'null'} for gradient ${i} from backward of ${name} but received ${describe(gradient)}`,
      );
    }
  });
  return list.filter((_, i) => tensors[i]).map((gradient) => (gradient ?? null) as Tensor | null);
}
