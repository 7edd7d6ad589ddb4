/**
 * The nodes that the outputs need, with their constants set apart.
 * @module
 */
import { CheckpointError } from '../../errors.js';
import { type FileModel, type FileNode, isOperator, type StoredTensor } from './model.js';

/** Where a node reads a value. */
export interface Use {
  readonly operator: string;
  /** The node. */
  readonly node: number;
  /** Position among its inputs. */
  readonly input: number;
}

/** A node whose inputs may be given other names. */
export interface GraphNode extends FileNode {
  readonly inputs: string[];
}

/** The graph that is run. */
export interface LoadedGraph {
  readonly nodes: readonly GraphNode[];
  /** Initializers that the nodes or outputs need, by name. */
  readonly initializers: ReadonlyMap<string, StoredTensor>;
  /** Nodes that rename an initializer: the name, and the initializer. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly outputs: readonly string[];
}

/** A node, for messages: its name, or its position where it has none. */
export function placeOf(node: FileNode): string {
  const operator = node.domain === '' ? node.operator : `${node.domain}.${node.operator}`;
  return `${operator.slice(0, 80)} (node ${node.name === '' ? `${node.position}` : `'${node.name.slice(0, 80)}'`})`;
}

/**
 * Takes the nodes that the outputs need, in order.
 * @param outputs - Names of values. @param path - For messages.
 * @throws CheckpointError for a value that no node computes, or not before it is read, and for one that is given twice.
 */
export function graphOf(model: FileModel, outputs: readonly string[], path: string): LoadedGraph {
  checkUnique(model, path);
  const initializers = new Map(model.initializers.map((one) => [one.name, one]));
  const aliases = aliasesOf(model, initializers, outputs);
  const needed = new Set(outputs);
  const nodes = model.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((name) => name !== '' && needed.has(name))) return false;
      for (const name of node.inputs) needed.add(name);
      return true;
    })
    .reverse()
    .filter(({ outputs: [first] }) => !aliases.has(first ?? ''))
    .map((node) => ({ ...node, inputs: [...node.inputs] }));
  checkOrder(
    nodes,
    outputs,
    new Set([...model.inputs.map(({ name }) => name), ...initializers.keys(), ...aliases.keys()]),
    path,
  );
  for (const name of [...initializers.keys()]) if (!needed.has(name)) initializers.delete(name);
  return { nodes, initializers, aliases, outputs };
}

/** Identity of an initializer: exporters write equal tensors once, and name the others so. */
function aliasesOf(
  model: FileModel,
  initializers: ReadonlyMap<string, StoredTensor>,
  outputs: readonly string[],
): Map<string, string> {
  const aliases = new Map<string, string>();
  const taken = new Set([...initializers.keys(), ...model.inputs.map(({ name }) => name), ...outputs, '']);
  for (const node of model.nodes) {
    if (!isOperator(node, 'Identity')) continue;
    const [from, to] = [node.inputs[0] ?? '', node.outputs[0] ?? ''];
    const source = aliases.get(from) ?? from;
    if (initializers.has(source) && !taken.has(to)) aliases.set(to, source);
  }
  return aliases;
}

function checkUnique({ inputs, initializers }: FileModel, path: string): void {
  for (const [what, values] of Object.entries({ inputs, initializers })) {
    const names = new Set<string>();
    for (const { name } of values) {
      if (names.has(name))
        throw new CheckpointError(`${path} is damaged: it has two ${what} named ${name.slice(0, 80)}`);
      names.add(name);
    }
  }
}

function checkOrder(
  nodes: readonly FileNode[],
  outputs: readonly string[],
  known: Set<string>,
  path: string,
): void {
  for (const node of nodes) {
    const missing = node.inputs.find((name) => name !== '' && !known.has(name));
    if (missing !== undefined)
      throw new CheckpointError(
        `${path} is damaged: ${placeOf(node)} reads ${missing.slice(0, 80)}, which nothing before it gives`,
      );
    for (const name of node.outputs) {
      if (name !== '' && known.has(name))
        throw new CheckpointError(
          `${path} is damaged: ${placeOf(node)} gives ${name.slice(0, 80)} a second time`,
        );
      known.add(name);
    }
  }
  const absent = outputs.find((name) => !known.has(name));
  if (absent !== undefined)
    throw new CheckpointError(`${path} is damaged: no node computes its output ${absent.slice(0, 80)}`);
}
