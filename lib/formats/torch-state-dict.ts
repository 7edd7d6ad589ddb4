/**
 * The weights in a file of `torch.save`: a state dict, a checkpoint that has one, or a whole module.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { withRefused } from './refused.js';
import { loadTorch } from './torch-file.js';
import { TorchObject, type TorchValue } from './torch-values.js';

/** Options of {@link loadTorchStateDict}. */
export interface LoadTorchStateDictOptions {
  /** The key of the state dict in a checkpoint with several, such as `'generator'` or `'model_ema'`. Default: see the function. */
  key?: string | undefined;
}

const KEYS = optionKeys('key');

/** Usual keys of the weights in checkpoints. */
const USUAL_KEYS = ['state_dict', 'model_state_dict', 'model', 'net', 'network', 'weights'];

/**
 * Reads the weights of a file of PyTorch, also in the format before version 1.6: a state dict
 * (`torch.save(model.state_dict(), path)`), a checkpoint with a state dict under `state_dict`, `model_state_dict`, `model`, `net`, `network` or `weights`,
 * or as the only one under another key, or a whole module. Tensors that no dtype can represent (complex, quantized), objects and other values in the
 * state dict are left out with a warning; reading one by its name throws.
 * @returns Tensors by key, on the CPU. The caller must dispose them.
 * @throws {CheckpointError} like {@link loadTorch}, and if there is no state dict, or several under other keys.
 * @example
 * model.loadStateDict(await loadTorchStateDict('alexnet.pth'))
 */
export async function loadTorchStateDict(
  path: string,
  options: LoadTorchStateDictOptions = {},
): Promise<Record<string, Tensor>> {
  const { key } = checkOptions(options, KEYS);
  if (key !== undefined && (typeof key !== 'string' || key === ''))
    throw invalidArgument('key', 'a string', key);
  const value = await loadTorch(path);
  const found = find(value, key);
  const kept = new Set(typeof found === 'string' ? [] : found.tensors.map(([, tensor]) => tensor));
  for (const one of tensorsIn(value)) if (!kept.has(one)) one.dispose();
  if (typeof found === 'string') throw new CheckpointError(`Expected a state dict in ${path}${found}`);
  return withRefused(found.tensors, found.refused, path);
}

/** @returns The entries of the state dict, or why there are none, for a message. */
function find(value: TorchValue, key: string | undefined): StateEntries | string {
  if (key !== undefined) {
    const inside = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    return (
      stateEntries(inside) ?? mixedEntries(inside) ?? ` under ${key} but received ${describeValue(value)}`
    );
  }
  const whole = stateEntries(value);
  if (whole || !isRecord(value)) return whole ?? missing(value);
  for (const usual of USUAL_KEYS) {
    const entries = Object.hasOwn(value, usual) ? stateEntries(value[usual]) : undefined;
    if (entries) return entries;
  }
  const others = Object.entries(value).flatMap(([name, inside]) => {
    const entries = isTensor(inside) ? undefined : stateEntries(inside);
    return entries ? [{ name, entries }] : [];
  });
  if (others.length === 1) return others[0]!.entries;
  if (others.length === 0) return mixedEntries(value) ?? missing(value);
  const names = others.slice(0, 8).map(({ name }) => name);
  return ` but received several, under ${names.join(', ')}: choose one with { key: '${names[0]}' }`;
}

function missing(value: TorchValue): string {
  return `, itself or under ${USUAL_KEYS.join(', ')}, but received ${describeValue(value)}`;
}

function describeValue(value: TorchValue): string {
  if (isRecord(value)) return `a dictionary of ${Object.keys(value).slice(0, 8).join(', ')}`;
  if (value instanceof TorchObject) return value.type;
  if (isTensor(value)) return 'a tensor';
  return Array.isArray(value) ? 'a list' : typeof value;
}

/** Maximum number of modules of a network: modules that refer to each other could otherwise expand without limit. */
const MAX_MODULES = 100_000;

interface StateEntries {
  tensors: [string, Tensor][];
  /** Keys of tensors that cannot be read, with the reasons. */
  refused: Map<string, string>;
  modules: number;
}

/** The tensors of a state dict or a module; undefined for other values. */
function stateEntries(value: TorchValue | undefined): StateEntries | undefined {
  const entries: StateEntries = { tensors: [], refused: new Map(), modules: 0 };
  if (value instanceof TorchObject) collectModule(value, '', entries, 0);
  else if (!isRecord(value) || !Object.entries(value).every((entry) => collect(entries, ...entry)))
    return undefined;
  return entries.tensors.length > 0 ? entries : undefined;
}

/** @returns False if it is not a tensor. */
function collect({ tensors, refused }: StateEntries, key: string, value: TorchValue): boolean {
  if (isTensor(value)) tensors.push([key, value]);
  else if (value instanceof TorchObject) refused.set(key, describeObject(value));
  else return false;
  return true;
}

/** The tensors of a dictionary that also has numbers, strings and other values without tensors; undefined if one of them has tensors. */
function mixedEntries(value: TorchValue | undefined): StateEntries | undefined {
  if (!isRecord(value)) return undefined;
  const entries: StateEntries = { tensors: [], refused: new Map(), modules: 0 };
  for (const [key, item] of Object.entries(value)) {
    if (collect(entries, key, item)) continue;
    if (tensorsIn(item).size > 0) return undefined;
    // PyTorch saves `_extra_state` of modules that have none as None.
    if (item !== null)
      entries.refused.set(key, `it is ${Array.isArray(item) ? 'a list' : describeKind(item)}`);
  }
  return entries.tensors.length > 0 ? entries : undefined;
}

function describeKind(value: TorchValue): string {
  return isRecord(value) ? 'a dictionary' : value instanceof Uint8Array ? 'bytes' : `a ${typeof value}`;
}

function describeObject({ type, state }: TorchObject): string {
  return typeof state === 'string' ? state : `it is a ${type}`;
}

/** Parameters and persistent buffers of a pickled `nn.Module`, by the keys of its state dict. */
function collectModule(module: TorchObject, prefix: string, entries: StateEntries, depth: number): void {
  const state = module.state;
  if (!isRecord(state) || depth > 100) return;
  if (++entries.modules > MAX_MODULES) throw new CheckpointError(`It has more than ${MAX_MODULES} modules`);
  const { _parameters: parameters, _buffers: buffers, _modules: modules } = state;
  const transient = state._non_persistent_buffers_set;
  for (const [own, skipped] of [[parameters, []] as const, [buffers, transient] as const]) {
    if (!isRecord(own)) continue;
    for (const [name, value] of Object.entries(own)) {
      const skip = Array.isArray(skipped) && skipped.includes(name);
      if (value !== null && !skip) collect(entries, prefix + name, value);
    }
  }
  if (!isRecord(modules)) return;
  for (const [name, child] of Object.entries(modules))
    if (child instanceof TorchObject) collectModule(child, `${prefix}${name}.`, entries, depth + 1);
}

function isRecord(value: TorchValue | undefined): value is { [key: string]: TorchValue } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !isTensor(value) && !(value instanceof Uint8Array) && !(value instanceof TorchObject);
}

function tensorsIn(root: TorchValue): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<unknown>();
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || seen.has(value))
      continue;
    seen.add(value);
    if (isTensor(value)) found.add(value);
    else for (const item of Object.values(value)) rest.push(item);
  }
  return found;
}
