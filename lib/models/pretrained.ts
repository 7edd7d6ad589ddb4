/**
 * Trained weights for networks: files, addresses and repositories of the Hugging Face hub.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { loadWeights } from '../formats/weights-file.js';
import type { MismatchResult } from '../nn/load-state.js';
import { type AnyModule, Module, type StateDict } from '../nn/module.js';
import { locateWeights, type WeightsSourceOptions } from './weights-source.js';

/** Options of {@link loadPretrained}. */
export interface PretrainedOptions extends WeightsSourceOptions {
  /** Throw when keys are missing or unexpected. Default true. */
  strict?: boolean | undefined;
  /** Leave out tensors with a different shape, such as a last layer for other classes, instead of throwing. Default false. */
  ignoreMismatched?: boolean | undefined;
  /** The key of the state dict in a checkpoint of PyTorch with several, such as `'model_ema'`: see {@link loadTorchStateDict}. */
  key?: string | undefined;
}

const PRETRAINED_KEYS = optionKeys(
  'strict',
  'ignoreMismatched',
  'key',
  'cacheDir',
  'checkHash',
  'onProgress',
  'signal',
);

/** Result of {@link loadPretrained}. */
export interface PretrainedResult extends MismatchResult {
  /** The file that was read: the given one, or the downloaded one in the cache. */
  file: string;
  /**
   * What was removed in front of all keys: `module.` of DataParallel, `_orig_mod.` of torch.compile, the name of the network in
   * a larger module, such as `model.`, several of these, or `''`.
   */
  prefix: string;
  /**
   * Keys of counters that the file lacks and that keep their value: `num_batches_tracked` of batch norms, which PyTorch before 0.4.1
   * did not save. They are not in `missing`.
   */
  missingCounters: string[];
}

/**
 * Loads trained weights into a network.
 * @param source - A path or `file:` address; an http(s) address; or `hf:org/name`, `hf:org/name@revision` or
 *   `hf:org/name/file` for a repository of the Hugging Face hub (default file: `model.safetensors`, else `pytorch_model.bin`;
 *   `HF_TOKEN` gives access to private ones, `HF_ENDPOINT` is another hub). Files of `torch.save` and safetensors files are
 *   distinguished by their contents. A download is kept in the cache and used from there without a request. It is verified, and continued
 *   after an interruption, if its SHA-256 is known: from the hub, or from a name such as `resnet18-f37072fd.pth`.
 * @returns Keys that were not loaded, the file, and what was different in it.
 * @throws CheckpointError for a damaged file, and for keys or shapes that do not fit; the network is then unchanged.
 * @throws DownloadError naming the address and the reason.
 * @example
 * await models.loadPretrained(model, 'https://download.pytorch.org/models/resnet18-f37072fd.pth');
 */
export async function loadPretrained(
  model: AnyModule,
  source: string | URL,
  options: PretrainedOptions = {},
): Promise<PretrainedResult> {
  if (!(model instanceof Module)) throw invalidArgument('model', 'a Module', model);
  const { strict, ignoreMismatched = false, key, ...place } = checkOptions(options, PRETRAINED_KEYS);
  const file = await locateWeights(source, place);
  const loaded = await loadWeights(file, { key });
  try {
    const own = Object.keys(model.stateDict());
    const { prefix, state } = withoutPrefix(renamed(loaded), own);
    // With `ignoreMismatched` absent, the result has no `mismatched`: then all shapes agree.
    const result = { mismatched: [], ...model.loadStateDict(state, { strict, ignoreMismatched }) };
    return { ...result, file, prefix, missingCounters: countersLacking(own, state, result.missing) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${file}: ${error.message}`, { cause: error });
  } finally {
    for (const tensor of Object.values(loaded)) tensor.dispose();
  }
}

/**
 * Old keys of torchvision. The published DenseNets have `denselayer1.norm.1.weight`, from when names might contain dots;
 * Vision Transformers have `mlp.linear_1` and `mlp.linear_2` for the layers 0 and 3.
 */
function renamed(state: StateDict): StateDict {
  const dense = /^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.)/;
  const linear = /^(.*encoder_layer_\d+\.mlp\.)linear_([12])\./;
  const rename = (key: string) =>
    key
      .replace(dense, '$1$2')
      .replace(linear, (_, start: string, number: string) => `${start}${number === '1' ? 0 : 3}.`);
  return Object.fromEntries(Object.entries(state).map(([key, value]) => [rename(key), value]));
}

/** Prefixes that wrappers of PyTorch add to all keys. */
const WRAPPERS = ['module.', '_orig_mod.'];
/** A counter of `torch.optim.swa_utils.AveragedModel` next to the weights, which have the prefix `module.`. */
const AVERAGED = 'n_averaged';

/** The state without what wrappers, or a module that contains the network, add in front of all keys. */
function withoutPrefix(state: StateDict, own: readonly string[]): { prefix: string; state: StateDict } {
  let keys = Object.keys(state);
  if (keys.includes(AVERAGED) && !own.includes(AVERAGED)) keys = keys.filter((key) => key !== AVERAGED);
  let prefix = '';
  for (;;) {
    const rest = keys.map((key) => key.slice(prefix.length));
    const next = commonPrefix(rest, own);
    if (next === '') break;
    prefix += next;
  }
  if (prefix === '') return { prefix, state };
  return {
    prefix,
    state: Object.fromEntries(keys.map((key) => [key.slice(prefix.length), state[key]!])),
  };
}

/** The first name in all keys, with its dot, if the network does not have it and the keys fit without it. */
function commonPrefix(keys: readonly string[], own: readonly string[]): string {
  const [first = ''] = keys;
  const start = first.slice(0, first.indexOf('.') + 1);
  if (start === '' || !keys.every((key) => key.startsWith(start))) return '';
  if (own.some((key) => key.startsWith(start))) return '';
  if (WRAPPERS.includes(start)) return start;
  const known = new Set(own);
  const fits = keys.some((key) => {
    const rest = key.slice(start.length);
    return known.has(rest) || WRAPPERS.some((wrapper) => rest.startsWith(wrapper));
  });
  return fits ? start : '';
}

/** Counters of batch norms that the state lacks. */
function countersLacking(own: readonly string[], state: StateDict, missing: readonly string[]): string[] {
  // Keys may be spelled differently: see load-state.ts.
  const plain = (key: string) => key.replaceAll('_', '').toLowerCase();
  const given = new Set(Object.keys(state).map(plain));
  const reported = new Set(missing);
  return own.filter(
    (key) => key.endsWith('num_batches_tracked') && !given.has(plain(key)) && !reported.has(key),
  );
}
