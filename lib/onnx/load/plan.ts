/**
 * The nodes of a graph as steps that run one after the other.
 * @module
 */
import { CheckpointError, DyconvError, ShapeError } from '../../errors.js';
import { tidy } from '../../tensor/context.js';
import { isTensor, type Tensor } from '../../tensor/tensor.js';
import { type LoadedGraph, placeOf } from './graph.js';
import type { Host } from './host.js';
import { isOwnDomain } from './model.js';
import {
  Call,
  followed,
  type HostRun,
  NodeProblem,
  NodeSpec,
  type Result,
  type Run,
  type Setting,
} from './node.js';
import { HOST, OPERATORS } from './operators/index.js';
import { Value } from './value.js';

/** One node. Values are known by numbers; -1 is an input that is left out, or an output that nothing reads. */
interface PlanStep {
  readonly place: string;
  readonly run: Run;
  readonly host: HostRun | undefined;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Values that no later step reads. */
  readonly last: readonly number[];
}

/** Larger arrays are computed as tensors. */
const MAX_COMPUTED = 256;

/** Problems that one message lists. */
const MAX_LISTED = 8;

/** Steps with numbered values. */
export class Plan {
  readonly #steps: PlanStep[];
  readonly #slots = new Map<string, number>();
  readonly #outputs: readonly number[];

  /**
   * Looks up the operators of all nodes, and reads their attributes.
   * @param attributes - Tensors of attributes, by node and name.
   * @param path - For messages.
   * @throws CheckpointError that lists the nodes which cannot be run.
   */
  constructor(
    graph: LoadedGraph,
    opset: number,
    attributes: readonly ReadonlyMap<string, Host>[],
    path: string,
  ) {
    const problems: string[] = [];
    this.#outputs = graph.outputs.map((name) => this.slot(name));
    const lastUse = new Map<string, number>();
    for (const [i, node] of graph.nodes.entries()) for (const name of node.inputs) lastUse.set(name, i);
    const dead = graph.nodes.map((): number[] => []);
    for (const [name, i] of lastUse)
      if (name !== '' && !graph.outputs.includes(name)) dead[i]!.push(this.slot(name));
    this.#steps = graph.nodes.flatMap((node, i) => {
      const place = placeOf(node);
      try {
        const operator =
          isOwnDomain(node.domain) && Object.hasOwn(OPERATORS, node.operator)
            ? OPERATORS[node.operator]
            : undefined;
        if (node.isFunction)
          throw new NodeProblem(
            'is a function of the file, which is not supported: replace it by its nodes with onnx.inliner',
          );
        if (operator === undefined) throw new NodeProblem('is not supported');
        const spec = new NodeSpec(node, opset, attributes[i]!);
        const host = Object.hasOwn(HOST, node.operator) ? HOST[node.operator]!(spec) : undefined;
        const outputs = node.outputs.map((name) =>
          name !== '' && (lastUse.has(name) || graph.outputs.includes(name)) ? this.slot(name) : -1,
        );
        const inputs = node.inputs.map((name) => (name === '' ? -1 : this.slot(name)));
        return [{ place, run: operator(spec), host, inputs, outputs, last: dead[i]! }];
      } catch (error) {
        if (!(error instanceof NodeProblem)) throw error;
        problems.push(`${place} ${error.message}`);
        return [];
      }
    });
    if (problems.length === 0) return;
    const more = problems.length > MAX_LISTED ? `; and ${problems.length - MAX_LISTED} more` : '';
    throw new CheckpointError(`Cannot load ${path}: ${problems.slice(0, MAX_LISTED).join('; ')}${more}`);
  }

  /** The number of a value. */
  slot(name: string): number {
    const slot = this.#slots.get(name) ?? this.#slots.size;
    this.#slots.set(name, slot);
    return slot;
  }

  get nodes(): number {
    return this.#steps.length;
  }

  /**
   * Runs all steps. A value is disposed after its last use; autograd keeps what it needs.
   * @param given - Constants and inputs by number, which are not disposed.
   */
  run(given: ReadonlyMap<number, Value>, setting: Setting): Tensor[] {
    const values = new Array<Value | undefined>(this.#slots.size);
    const kept = new Set<Tensor>();
    for (const [slot, value] of given) {
      values[slot] = value;
      if (value.held !== undefined) kept.add(value.held);
    }
    /** For tensors created here, the number of values. */
    const counts = new Map<Tensor, number>();
    for (const step of this.#steps) {
      const results = runStep(step, values, setting);
      for (const [j, slot] of step.outputs.entries()) {
        const value = results[j];
        if (slot < 0) continue;
        if (value === undefined) throw new CheckpointError(`Cannot run ${step.place}: it has no output ${j}`);
        values[slot] = value;
        if (value.held !== undefined && !kept.has(value.held))
          counts.set(value.held, (counts.get(value.held) ?? 0) + 1);
      }
      for (const slot of step.last) release(values, slot, counts);
    }
    return this.#outputs.map((slot) => values[slot]!.tensor(setting.device));
  }
}

function release(values: (Value | undefined)[], slot: number, counts: Map<Tensor, number>): void {
  const tensor = values[slot]?.held;
  values[slot] = undefined;
  const count = tensor && counts.get(tensor);
  if (tensor === undefined || count === undefined) return;
  if (count > 1) counts.set(tensor, count - 1);
  else {
    counts.delete(tensor);
    tensor.dispose();
  }
}

function runStep(
  step: PlanStep,
  values: readonly (Value | undefined)[],
  setting: Setting,
): (Value | undefined)[] {
  const inputs = step.inputs.map((slot) => values[slot]);
  try {
    if (step.host !== undefined && inputs.every(isSmall)) {
      const result = step.host(inputs.map((value) => value?.known));
      if (result !== undefined) return [Value.ofHost({ ...result, dtype: followed(result.dtype, setting) })];
    }
    const call = new Call(inputs, setting);
    return tidy(() => listOf(step.run(call))).map((one) => (isTensor(one) ? Value.ofTensor(one) : one));
  } catch (error) {
    throw placed(error, step.place);
  }
}

/** Whether a value is known, and small enough to be computed in JavaScript; so is an input that is left out. */
function isSmall(value: Value | undefined): boolean {
  return value === undefined || (value.known !== undefined && value.known.data.length <= MAX_COMPUTED);
}

function listOf(result: Result): readonly (Tensor | Value | undefined)[] {
  return Array.isArray(result) ? result : [result as Tensor | Value];
}

/** The error with the node that it comes from. */
function placed(error: unknown, place: string): unknown {
  if (error instanceof NodeProblem) return new ShapeError(`Cannot run ${place}: it ${error.message}`);
  if (!(error instanceof DyconvError))
    return new CheckpointError(`Cannot run ${place}: ${(error as Error).message}`, { cause: error });
  const message = `${place}: ${error.message}`;
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => message);
  error.message = message;
  return error;
}
