/**
 * Which tensors of a file are trained. The format does not distinguish weights from other constants: the nodes that read them decide.
 * @module
 */
import { noGrad, tidy } from '../../tensor/context.js';
import { isFloatingPoint } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { LoadedGraph, Use } from './graph.js';

/** A parameter, a running statistic of batch norm, or another constant. */
export type Role = 'parameter' | 'statistic' | 'constant';

/** A tensor of the file. */
export interface StateTensor {
  readonly tensor: Tensor;
  readonly role: Role;
  /** Whether an exporter made up the name. */
  readonly isMade: boolean;
}

/** Inputs of operators that are weights, regardless of their size. */
const WEIGHTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  LSTM: [1, 2, 3],
  GRU: [1, 2, 3],
  RNN: [1, 2, 3],
  PRelu: [1],
  Gather: [0],
};

/** Inputs that are settings. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  Pad: [2],
  Resize: [1, 2],
  Dropout: [1],
  OneHot: [2],
  Range: [0, 1, 2],
  QuantizeLinear: [1, 2],
  DequantizeLinear: [1, 2],
};

const STATISTICS = [3, 4];

/** Names that exporters use: dyconv's, those of PyTorch's new and of its classic one. */
const MADE =
  /^(?:constant|causal_mask|_?val|_?const|ones|zeros|full|scalar_tensor)(?:_\d+)*$|^onnx::|Constant_output_/;
/** Constants that dyconv's exporter adds, regardless of their contents. */
const DYCONV = /^(?:constant|causal_mask)(?:_\d+)?$/;

/** Whether all elements are the same number. */
function isUniform(tensor: Tensor): boolean {
  return tidy(() =>
    noGrad(
      () =>
        tensor.numel > 0 &&
        Boolean(
          tensor
            .eq(tensor.reshape([-1]).select(0, 0))
            .all()
            .item(),
        ),
    ),
  );
}

const hasNumbersOnly = (tensor: Tensor): boolean =>
  tidy(() => noGrad(() => Boolean(tensor.isfinite().all().item())));

/** What a tensor is where one node reads it. */
function roleAt(name: string, tensor: Tensor, { operator, input }: Use): Role {
  if (operator === 'BatchNormalization' && STATISTICS.includes(input)) return 'statistic';
  if (WEIGHTS[operator]?.includes(input)) return 'parameter';
  if (SETTINGS[operator]?.includes(input)) return 'constant';
  // A number in arithmetic is a setting, unless its name says otherwise.
  return tensor.numel > 1 || /(?:^|\.)(?:weight|bias)$/.test(name) ? 'parameter' : 'constant';
}

/**
 * Finds the role of every tensor. Exporters write tensors of equal elements once: one whose elements are all the same, such as the ones
 * and zeros of new normalization layers, becomes a separate tensor for each of its uses, as in the network. The nodes then read the
 * copies. Others that several nodes read remain shared.
 * @param tensors - The initializers by name.
 * @param wanted - What the user says about a name; undefined leaves it to this function.
 */
export function stateOf(
  graph: LoadedGraph,
  tensors: ReadonlyMap<string, Tensor>,
  producer: string,
  wanted: ((name: string, tensor: Tensor) => boolean) | undefined,
): Map<string, StateTensor> {
  const state = new Map<string, StateTensor>();
  const uses = usesOf(graph);
  const names = new Set([
    ...tensors.keys(),
    ...graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]),
  ]);
  for (const [name, tensor] of tensors) {
    const own = uses.get(name) ?? [];
    const isMade = MADE.test(name);
    if (!isFloatingPoint(tensor.dtype)) {
      state.set(name, { tensor, role: 'constant', isMade: true });
      rename(graph, own, name);
      continue;
    }
    const fixed = isConstant(name, tensor, own, producer);
    const named = own.map((use) => {
      const role = roleAt(name, tensor, use);
      return { use, role: fixed && role === 'parameter' ? ('constant' as const) : role };
    });
    const trained = named.filter(({ role }) => role !== 'constant');
    const apart = trained.length > 1 && isUniform(tensor);
    const roleOf = (key: string, role: Role): Role => {
      if (role === 'statistic' || wanted === undefined) return role;
      return wanted(key, tensor) ? 'parameter' : 'constant';
    };
    if (!apart) {
      const role = trained.find(({ role }) => role === 'statistic')?.role ?? trained[0]?.role ?? 'constant';
      state.set(name, { tensor, role: roleOf(name, role), isMade });
      rename(graph, own, name);
      continue;
    }
    const rest = named.filter(({ role }) => role === 'constant').map(({ use }) => use);
    rename(graph, rest, name);
    for (const { use, role } of trained) {
      const asked = graph.nodes[use.node]!.inputs[use.input]!;
      const key =
        state.has(asked) || (asked !== name && tensors.has(asked)) ? unusedName(asked, names) : asked;
      const copy = key === name ? tensor : noGrad(() => tensor.clone());
      names.add(key);
      state.set(key, { tensor: copy, role: roleOf(key, role), isMade: MADE.test(key) });
      rename(graph, [use], key);
    }
    if (!state.has(name)) state.set(name, { tensor, role: 'constant', isMade: true });
  }
  return state;
}

/** Values that no node may train: masks, numbers that the exporter adds, the neutral scales of norms without weights. */
function isConstant(name: string, tensor: Tensor, uses: readonly Use[], producer: string): boolean {
  if (producer === 'dyconv' && DYCONV.test(name)) return true;
  if (!hasNumbersOnly(tensor)) return true;
  const norms = uses.every(({ operator }) => operator.endsWith('Normalization'));
  return norms && uses.length > 0 && MADE.test(name) && isUniform(tensor);
}

/** For every initializer, its uses under all of its names. */
function usesOf(graph: LoadedGraph): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  for (const [node, { operator, inputs }] of graph.nodes.entries())
    for (const [input, name] of inputs.entries()) {
      const source = graph.aliases.get(name) ?? name;
      const known = uses.get(source);
      if (known === undefined) uses.set(source, [{ operator, node, input }]);
      else known.push({ operator, node, input });
    }
  return uses;
}

function rename(graph: LoadedGraph, uses: readonly Use[], name: string): void {
  for (const { node, input } of uses) graph.nodes[node]!.inputs[input] = name;
}

function unusedName(name: string, taken: ReadonlySet<string>): string {
  for (let i = 2; ; i++) {
    const candidate = `${name}_${i}`;
    if (!taken.has(candidate)) return candidate;
  }
}
