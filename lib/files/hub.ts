/**
 * Files of the Hugging Face hub: their addresses and checksums.
 * @see https://huggingface.co/docs/hub/api
 * @module
 */
import { DownloadError, invalidArgument } from '../errors.js';
import { type FileHash, reason, requestHead } from './download.js';

/** A file of a repository. */
export interface HubFile {
  readonly owner: string;
  readonly name: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Path in the repository; undefined if the caller chooses among the usual names. */
  readonly file: string | undefined;
}

/** Files that are looked for if none is named, in this order. */
const USUAL_FILES = ['model.safetensors', 'pytorch_model.bin'] as const;
const MAX_MOVES = 5;

/** Reads `hf:org/name`, with `@revision` and `/file` if needed. @throws ArgumentError */
export function parseHubFile(source: string): HubFile {
  const parts = /^hf:([\w.-]+)\/([\w.-]+)(?:@([\w.-]+))?(?:\/([\w./+=-]+))?$/.exec(source);
  const [, owner, name, revision = 'main', file] = parts ?? [];
  const isPath = !file?.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (owner === undefined || name === undefined || !isPath)
    throw invalidArgument('pretrained', 'hf:org/name, hf:org/name@revision or hf:org/name/file', source);
  return { owner, name, revision, file };
}

/** The addresses to try. @param endpoint - Default: `$HF_ENDPOINT` or `https://huggingface.co`. */
export function hubAddresses(
  { owner, name, revision, file }: HubFile,
  endpoint = process.env.HF_ENDPOINT || 'https://huggingface.co',
): string[] {
  const files = file === undefined ? USUAL_FILES : [file];
  return files.map((path) => `${endpoint.replace(/\/+$/, '')}/${owner}/${name}/resolve/${revision}/${path}`);
}

/** Information of the hub about a file. */
export interface HubEntry {
  readonly address: string;
  readonly size: number | undefined;
  /** SHA-256 of a large file; the hub has none for small files. */
  readonly hash: FileHash | undefined;
  /** Headers for the download. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Options of {@link findHubEntry}. */
export interface HubOptions {
  signal?: AbortSignal | undefined;
}

/**
 * Asks the hub for the first of some addresses that exists.
 * @throws DownloadError naming the address and the reason: no such repository, revision or file, no access, no connection.
 */
export async function findHubEntry(
  addresses: readonly string[],
  { signal }: HubOptions = {},
): Promise<HubEntry> {
  for (const [i, address] of addresses.entries()) {
    const found = await ask(address, signal);
    if (typeof found !== 'string') return found;
    const isLast = i === addresses.length - 1;
    if (!isLast && found === REASONS.EntryNotFound) continue;
    throw failure(address, found);
  }
  throw new DownloadError('Expected the URL of the hub but received none');
}

/** Reasons by the code that the hub sends with an error. */
const REASONS = {
  EntryNotFound: 'the repository has no such file',
  RevisionNotFound: 'the repository has no such revision',
  RepoNotFound: 'the hub has no such repository, or it is private: HF_TOKEN is then the access token',
  GatedRepo: 'the repository asks for an agreement to its conditions: HF_TOKEN is then the access token',
} as const;

/** The entry, or the reason why there is none. */
async function ask(address: string, signal: AbortSignal | undefined): Promise<HubEntry | string> {
  const token = process.env.HF_TOKEN;
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  let url = address;
  for (let moves = 0; moves <= MAX_MOVES; moves++) {
    const answer = await requestHead({ url, signal, headers }).catch((error: unknown) => {
      const message = signal?.aborted ? `The download of ${address} was aborted` : undefined;
      throw failure(address, reason(error), error, message);
    });
    const header = (name: string) => answer.headers[name]?.toString();
    const code = header('x-error-code') ?? '';
    if (Object.hasOwn(REASONS, code)) return REASONS[code as keyof typeof REASONS];
    if (answer.status >= 400) {
      // Without an access token, the hub answers with 401 for a repository that does not exist.
      if (answer.status === 401 || answer.status === 403) return REASONS.RepoNotFound;
      if (answer.status === 404) return REASONS.EntryNotFound;
      return `the server answered with status ${answer.status}`;
    }
    const location = header('location');
    // A relative address is that of a renamed repository or of a cache of the hub; any other one is that of the contents.
    if (answer.status >= 300 && location?.startsWith('/') && header('x-linked-etag') === undefined) {
      url = new URL(location, url).href;
      continue;
    }
    const size = Number(
      header('x-linked-size') ?? (answer.status < 300 ? header('content-length') : undefined),
    );
    const etag = (header('x-linked-etag') ?? header('etag') ?? '').replace(/^(W\/)?"|"$/g, '');
    const hash = /^[0-9a-f]{64}$/.test(etag) ? ({ algorithm: 'sha256', digest: etag } as const) : undefined;
    return { address, size: Number.isSafeInteger(size) ? size : undefined, hash, headers };
  }
  return 'too many redirects';
}

function failure(url: string, problem: string, cause?: unknown, message?: string): DownloadError {
  return new DownloadError(message ?? `The download of ${url} failed: ${problem}`, { cause }, [
    { url, reason: problem },
  ]);
}
