/**
 * Files that are left out of a set of images, and how messages count and describe them.
 * @module
 */
import { PICTURE_ENDINGS } from './picture.js';

/** A file that is not read, or a folder. */
export interface LeftOut {
  path: string;
  /** The reason. Files are counted by reason. */
  reason: string;
}

/** The reason for a folder that a training has written. */
export const OF_TRAINING = 'folder of a training';

/** Formats of images that sharp does not decode. */
const UNREAD_ENDINGS = new Set([
  '.arw',
  '.bmp',
  '.cr2',
  '.dng',
  '.heic',
  '.heif',
  '.ico',
  '.jp2',
  '.jxl',
  '.nef',
  '.pgm',
  '.ppm',
  '.psd',
]);

/** Why a file with this extension is not read; undefined for images. @param ending - In lower case, with the dot. */
export function reasonByEnding(ending: string): string | undefined {
  if (PICTURE_ENDINGS.includes(ending)) return undefined;
  return ending === '' ? 'without a file extension' : ending;
}

/** Numbers of files that were left out of a set, by reason; empty if there are none. */
export function countOf(leftOut: readonly LeftOut[]): string {
  if (leftOut.length === 0) return '';
  const counts = new Map<string, number>();
  for (const { reason } of leftOut) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const list = [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} ${reason}`);
  const unread = [...counts.keys()].filter((reason) => UNREAD_ENDINGS.has(reason)).sort();
  const advice = unread.length > 0 ? ` (${unread.join(', ')}: not decoded, convert to PNG or JPEG)` : '';
  return `left out ${leftOut.length} file(s): ${list.join(', ')}${advice}`;
}

/** {@link countOf} as the end of a message. */
export function andLeftOut(leftOut: readonly LeftOut[]): string {
  return leftOut.length > 0 ? `; ${countOf(leftOut)}` : '';
}

/** Why a file is not read, as a sentence. */
export function reasonFor({ reason }: LeftOut): string {
  if (UNREAD_ENDINGS.has(reason)) return `images ${reason} are not decoded: convert to PNG or JPEG`;
  return `not read: ${reason}`;
}
