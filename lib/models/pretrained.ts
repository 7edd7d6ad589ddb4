/**
 * Trained weights for networks: files, addresses and repositories of the Hugging Face hub.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { type DownloadProgress, download, hashFile } from '../files/download.js';
import { loadWeights } from '../formats/weights-file.js';
import { cacheDirectory } from '../libtorch/cache.js';
import type { MismatchResult } from '../nn/load-state.js';
import { type AnyModule, Module, type StateDict } from '../nn/module.js';

/** Options of {@link loadPretrained}. */
export interface PretrainedOptions {
  /** Throw when keys are missing or unexpected. Default true. */
  strict?: boolean | undefined;
  /** Leave out tensors with a different shape, such as a last layer for other classes, instead of throwing. Default false. */
  ignoreMismatched?: boolean | undefined;
  /** Folder for downloaded files. Default: `weights` in `$DYCONV_CACHE`, or in `dyconv` in the user's cache folder. */
  cacheDir?: string | undefined;
  /** Called as bytes of a download arrive. */
  onProgress?: DownloadProgress | undefined;
  /** Cancels the download. */
  signal?: AbortSignal | undefined;
}

const PRETRAINED_KEYS = optionKeys('strict', 'ignoreMismatched', 'cacheDir', 'onProgress', 'signal');

/** Result of {@link loadPretrained}. */
export interface PretrainedResult extends MismatchResult {
  /** The file that was read: the given one, or the downloaded one in the cache. */
  file: string;
  /** The prefix that was removed from all keys: `module.` of DataParallel, `_orig_mod.` of torch.compile, or `''`. */
  prefix: string;
}

/**
 * Loads trained weights into a network.
 * @param source - A path or `file:` address; an http(s) address; or `hf:org/name`, `hf:org/name@revision` or
 *   `hf:org/name/file` for a public repository of the Hugging Face hub (default file: `model.safetensors`). Files that end in
 *   `.pt`, `.pth` or `.bin` are PyTorch's, others safetensors. A download is kept in the cache; if the name of the file ends in
 *   `-<first digits of its SHA-256>`, as the files of torchvision, it is resumed after an interruption and verified.
 * @returns Keys that were not loaded, the file, and the prefix that was removed from its keys.
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
  const { strict, ignoreMismatched = false, ...place } = checkOptions(options, PRETRAINED_KEYS);
  const file = await locate(source, place);
  const loaded = await loadWeights(file);
  try {
    const own = Object.keys(model.stateDict());
    const { prefix, state } = withoutPrefix(renamed(loaded), own);
    // With `ignoreMismatched` absent, the result has no `mismatched`: then all shapes agree.
    const result = model.loadStateDict(state, { strict, ignoreMismatched });
    return { mismatched: [], ...result, file, prefix };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${file}: ${error.message}`, { cause: error });
  } finally {
    for (const tensor of Object.values(loaded)) tensor.dispose();
  }
}

/** Torchvision's published DenseNets have keys such as `denselayer1.norm.1.weight`, from when names might contain dots. */
function renamed(state: StateDict): StateDict {
  const old = /^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.)/;
  return Object.fromEntries(Object.entries(state).map(([key, value]) => [key.replace(old, '$1$2'), value]));
}

/** Prefixes that wrappers of PyTorch add to all keys. */
const PREFIXES = ['module.', '_orig_mod.'];

function withoutPrefix(state: StateDict, own: readonly string[]): { prefix: string; state: StateDict } {
  const keys = Object.keys(state);
  const prefix = PREFIXES.find(
    (start) => keys.every((key) => key.startsWith(start)) && !own.some((key) => key.startsWith(start)),
  );
  if (prefix === undefined || keys.length === 0) return { prefix: '', state };
  return {
    prefix,
    state: Object.fromEntries(keys.map((key) => [key.slice(prefix.length), state[key]!])),
  };
}

type Place = Pick<PretrainedOptions, 'cacheDir' | 'onProgress' | 'signal'>;

/** The path of the weights on this machine; downloads them if necessary. */
async function locate(source: string | URL, { cacheDir, onProgress, signal }: Place): Promise<string> {
  const given = source instanceof URL ? source.href : source;
  if (typeof given !== 'string' || given === '')
    throw invalidArgument('pretrained', 'a path, an http(s) address or hf:org/name', source);
  const address = given.startsWith('hf:') ? hubAddress(given) : given;
  if (address.startsWith('file:')) return fileURLToPath(address);
  if (!/^https?:\/\//.test(address)) return address;
  if (!URL.canParse(address)) throw invalidArgument('pretrained', 'an http(s) address', source);
  const name = decodeURIComponent(posix.basename(new URL(address).pathname)).replaceAll(/[/\\]/g, '_');
  const folder = createHash('sha256').update(address).digest('hex').slice(0, 16);
  const file = join(cacheDir ?? join(cacheDirectory(), 'weights'), folder, name || 'weights');
  const digest = /-([0-9a-f]{8,64})\.[a-z]+$/.exec(name)?.[1];
  const complete = existsSync(file) && (!digest || (await hashFile(file, 'sha256')).startsWith(digest));
  const hash = digest === undefined ? undefined : ({ algorithm: 'sha256', digest } as const);
  if (!complete) await download({ url: address, file, hash, onProgress, signal });
  return file;
}

/** @internal The address of a file of the Hugging Face hub. @param source - `hf:org/name`, with `@revision` and `/file` if needed. */
export function hubAddress(source: string): string {
  const parts = /^hf:([\w.-]+)\/([\w.-]+)(?:@([\w.-]+))?(?:\/([\w./-]+))?$/.exec(source);
  const [, owner, name, revision = 'main', file = 'model.safetensors'] = parts ?? [];
  if (owner === undefined || name === undefined || file.split('/').includes('..'))
    throw invalidArgument('pretrained', 'hf:org/name, hf:org/name@revision or hf:org/name/file', source);
  return `https://huggingface.co/${owner}/${name}/resolve/${revision}/${file}`;
}
