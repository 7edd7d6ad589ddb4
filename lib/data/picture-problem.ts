/**
 * Why an image cannot be decoded: sharp has one message for most reasons.
 * @module
 */
import { extname } from 'node:path';
import { reasonOf } from '../files/error.js';
import { openFile } from '../files/open.js';

/** Bytes that identify a format. */
const HEAD = 16;

/** Formats of files by what they contain, as Latin-1, at which byte, and whether sharp decodes them. */
const FORMATS: readonly { name: string; isDecoded: boolean; at?: number; marks: readonly string[] }[] = [
  { name: 'JPEG', isDecoded: true, marks: ['\xff\xd8\xff'] },
  { name: 'PNG', isDecoded: true, marks: ['\x89PNG'] },
  { name: 'GIF', isDecoded: true, marks: ['GIF8'] },
  { name: 'WebP', isDecoded: true, at: 8, marks: ['WEBP'] },
  { name: 'TIFF', isDecoded: true, marks: ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'] },
  { name: 'AVIF', isDecoded: true, at: 4, marks: ['ftypavif', 'ftypavis'] },
  { name: 'HEIC', isDecoded: false, at: 4, marks: ['ftyphe', 'ftypmif1', 'ftypmsf1'] },
  { name: 'JPEG 2000', isDecoded: false, at: 4, marks: ['jP  '] },
  { name: 'JPEG XL', isDecoded: false, at: 4, marks: ['JXL '] },
  { name: 'PSD', isDecoded: false, marks: ['8BPS'] },
  { name: 'PDF', isDecoded: false, marks: ['%PDF-'] },
  { name: 'ICO', isDecoded: false, marks: ['\0\0\x01\0'] },
  { name: 'BMP', isDecoded: false, marks: ['BM'] },
];

/** Errors that say nothing about the image. */
const OF_THE_SYSTEM = /memory|unable to open/i;

/**
 * The reason why sharp did not decode an image.
 * @param picture - A path or the bytes.
 * @param error - The error of sharp, which becomes the cause.
 * @returns An error without the name of the file, in one line.
 */
export async function pictureProblem(picture: string | Uint8Array, error: Error): Promise<Error> {
  const because = (reason: string) => new Error(reason, { cause: error });
  const isFile = typeof picture === 'string';
  let head: Uint8Array;
  try {
    head = isFile ? await headOf(picture) : picture.subarray(0, HEAD);
  } catch (cause) {
    return new Error(reasonOf(cause as NodeJS.ErrnoException), { cause });
  }
  if (head.length === 0)
    return because(isFile ? 'the file is empty' : 'expected the bytes of an image but received none');
  if (OF_THE_SYSTEM.test(error.message)) return because(error.message.trim().split('\n', 1)[0]!);
  const text = Buffer.from(head).toString('latin1');
  const format = FORMATS.find(({ at = 0, marks }) => marks.some((mark) => text.startsWith(mark, at)));
  if (!format) return because('it is not an image');
  if (format.isDecoded) return because(`the ${isFile ? 'file is' : 'bytes are'} damaged or incomplete`);
  const named = isFile ? ` named ${extname(picture).toLowerCase()}` : '';
  return because(`it is a ${format.name} file${named}: convert it to PNG or JPEG`);
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
