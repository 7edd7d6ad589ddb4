/**
 * Functions that return gradients; `Tensor.backward` accumulates them in leaves.
 * @module
 */
import { checkIterable, checkOptions, optionKeys } from '../check/index.js';
import { GradcheckError, invalidArgument, NativeError } from '../errors.js';
import { checkTensor } from './check.js';
import { noGrad, tidy } from './context.js';
import { native, type Tensor } from './tensor.js';

export { type AnomalyOptions, detectAnomaly } from './anomaly.js';
export {
  defineFunction,
  FunctionContext,
  type FunctionDefinition,
  type Gradients,
} from './custom-function.js';

/** Options of {@link grad}. */
export interface GradOptions {
  /** dL/doutputs, one per output, or null; optional for outputs of one element. */
  gradOutputs?: readonly (Tensor | null)[] | Tensor | undefined;
  /** Keep the graph for another pass. Default: `createGraph`. */
  retainGraph?: boolean | undefined;
  /** Record the backward pass, for higher derivatives. Default false. */
  createGraph?: boolean | undefined;
  /** Return null for inputs the outputs do not depend on, instead of throwing. Default false. */
  allowUnused?: boolean | undefined;
}

const GRAD_KEYS = optionKeys('gradOutputs', 'retainGraph', 'createGraph', 'allowUnused');

const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

/**
 * The gradients of the outputs' sum (weighted by `gradOutputs`) with respect to `inputs`.
 * @returns One tensor per input, of its shape; null for an unused input if that is allowed.
 * @throws NativeError when the outputs do not depend on an input.
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.grad.html
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const {
    createGraph = false,
    retainGraph = createGraph,
    allowUnused = false,
    gradOutputs = [],
  } = checkOptions(options, GRAD_KEYS);
  const wanted = list<Tensor>(inputs);
  if (list(outputs).length === 0) throw invalidArgument('outputs', 'at least one Tensor', outputs);
  if (wanted.length === 0) throw invalidArgument('inputs', 'at least one Tensor', inputs);
  const gradients = native.gradOf(
    list<Tensor>(outputs),
    wanted,
    list<Tensor | null>(gradOutputs),
    retainGraph,
    createGraph,
    true,
  );
  const unused = allowUnused ? -1 : gradients.indexOf(null);
  if (unused === -1) return gradients;
  for (const gradient of gradients) gradient?.dispose();
  throw new NativeError(
    `Expected inputs that the outputs depend on but inputs[${unused}] is unused: allowUnused gives null for it`,
  );
}

/** Options of {@link gradcheck}. */
export interface GradcheckOptions {
  /** Half of the step of the central difference. Default 1e-6. */
  eps?: number | undefined;
  /** Absolute tolerance. Default 1e-5. */
  atol?: number | undefined;
  /** Relative tolerance. Default 1e-3. */
  rtol?: number | undefined;
}

const GRADCHECK_KEYS = optionKeys('eps', 'atol', 'rtol');

/**
 * Compares the gradients of `fn` with central differences, element by element, and throws if they differ.
 * @param fn - A function of the inputs to one tensor, without side effects, deterministic.
 * @param inputs - float64 tensors; those that require gradients are checked.
 * @returns true.
 * @throws GradcheckError naming input, position and both values.
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.html
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): true {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = checkOptions(options, GRADCHECK_KEYS);
  if (typeof fn !== 'function') throw invalidArgument('fn', 'a function', fn);
  if (!Number.isFinite(eps) || eps <= 0) throw invalidArgument('eps', 'a number above 0', eps);
  for (const [name, tolerance] of Object.entries({ atol, rtol })) {
    if (typeof tolerance !== 'number' || !(tolerance >= 0))
      throw invalidArgument(name, 'a number of at least 0', tolerance);
  }
  const checked = checkIterable(inputs, 'inputs', 'Tensors').filter(
    (input) => checkTensor('inputs', input).requiresGrad,
  );
  if (checked.length === 0)
    throw invalidArgument('inputs', 'at least one Tensor that requires gradients', inputs);
  for (const input of checked) {
    if (input.dtype !== 'float64') throw invalidArgument('inputs', 'float64 Tensors', input.dtype);
  }
  tidy(() => {
    const output = checkTensor('the result of fn', fn(...inputs));
    // One random cotangent instead of one per output element: it detects a wrong gradient with probability 1.
    const cotangent = native.rand(output.shape, 'float64', 'cpu').add(0.5);
    // If nothing was recorded, the gradient is zero, which is compared with the differences.
    const analytic = output.requiresGrad
      ? grad(output, checked, { gradOutputs: [cotangent], allowUnused: true })
      : checked.map(() => null);
    checked.forEach((input, i) => {
      const numeric = differences(
        () =>
          Number(
            fn(...inputs)
              .mul(cotangent)
              .sum()
              .item(),
          ),
        input,
        eps,
      );
      const values = analytic[i]?.dataSync({ dtype: 'float64' });
      numeric.forEach((expected, j) => {
        const received = values?.[j] ?? 0;
        if (!(Math.abs(received - expected) <= atol + rtol * Math.abs(expected))) {
          throw new GradcheckError(
            `Expected ${expected} for the gradient of input ${inputs.indexOf(input)} at element ${j} but received ${received}`,
          );
        }
      });
    });
  });
  return true;
}

/** Central differences of `value()` by every element of `input`, which is changed in place and restored. */
function differences(value: () => number, input: Tensor, eps: number): number[] {
  return noGrad(() => {
    const { shape } = input;
    const plain = input.detach();
    return Array.from({ length: input.numel }, (_, j) =>
      tidy(() => {
        // Not a flat view: the input may have any strides.
        let rest = j;
        const position = shape.map(() => 0);
        for (let dim = shape.length - 1; dim >= 0; dim--) {
          position[dim] = rest % shape[dim]!;
          rest = Math.floor(rest / shape[dim]!);
        }
        const element = plain.index(...position, '...');
        const original = Number(element.item());
        try {
          element.fill_(original + eps);
          const above = value();
          element.fill_(original - eps);
          return (above - value()) / (2 * eps);
        } finally {
          element.fill_(original);
        }
      }),
    );
  });
}
