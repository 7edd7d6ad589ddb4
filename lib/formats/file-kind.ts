/**
 * The format of a file of weights, from its first bytes.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { MAX_HEADER_BYTES } from './safetensors-header.js';

/** Formats of weights, and what is often found in their place: a pointer of Git LFS, a web page. */
export type FileKind = 'torch' | 'torch legacy' | 'torch tar' | 'safetensors' | 'git-lfs' | 'html';

/** Number of bytes that {@link kindOf} needs. */
export const KIND_BYTES = 512;

/** Start of the pickle of the magic number of PyTorch before 1.6, after the bytes of its protocol. */
const MAGIC = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');

/** The format of a file that starts with these bytes; undefined for an unknown one. */
export function kindOf(start: Buffer): FileKind | undefined {
  const text = start.toString('latin1', 0, KIND_BYTES);
  if (text.startsWith('PK')) return 'torch';
  if (start[0] === 0x80 && start.subarray(0, 40).includes(MAGIC)) return 'torch legacy';
  if (text.slice(257, 262) === 'ustar') return 'torch tar';
  if (text.startsWith('version https://git-lfs')) return 'git-lfs';
  if (/^\s*<(!doctype|html|\?xml|head|body)/i.test(text)) return 'html';
  const isHeader = start.length > 8 && start.readBigUInt64LE(0) <= BigInt(MAX_HEADER_BYTES);
  return isHeader && start[8] === 0x7b ? 'safetensors' : undefined;
}

/** The format of an open file. */
export async function kindOfFile(file: FileHandle): Promise<FileKind | undefined> {
  const start = Buffer.alloc(KIND_BYTES);
  const { bytesRead } = await file.read(start, 0, KIND_BYTES, 0);
  return kindOf(start.subarray(0, bytesRead));
}

const DESCRIPTIONS: Readonly<Record<FileKind, string>> = {
  torch: 'it is a zip archive, as torch.save writes: read it with loadTorchStateDict',
  'torch legacy': 'it is a file of torch.save: read it with loadTorchStateDict',
  'torch tar': 'it is a file of PyTorch before 0.1.10',
  safetensors: 'it is a safetensors file: read it with loadSafetensors',
  'git-lfs': 'it is a pointer of Git LFS: download the file itself with `git lfs pull`',
  html: 'it is a web page',
};

/** What a file is instead of the expected format, for a message; `fallback` if that is unknown. */
export function describeFile(kind: FileKind | undefined, fallback: string): string {
  return kind === undefined ? fallback : DESCRIPTIONS[kind];
}
