import type { FileHandle } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readTensor, tensorPieces, writePieces } from '../lib/formats/tensor-bytes.js';
import { tensor } from '../lib/index.js';

/** A file that writes at most `most` bytes per call, as an operating system may. */
function sparingFile(most: number) {
  const written: number[] = [];
  const counts: number[] = [];
  const writev = async (buffers: Uint8Array[]) => {
    counts.push(buffers.length);
    const part = buffers.flatMap((buffer) => [...buffer]).slice(0, most);
    written.push(...part);
    return { bytesWritten: part.length, buffers };
  };
  return { written, counts, file: { writev } as unknown as FileHandle };
}

async function* inPieces(...pieces: number[][]) {
  for (const piece of pieces) yield Uint8Array.from(piece);
}

describe('writePieces', () => {
  it.each([1, 2, 3, 5, 100])('writes everything where a call takes %i bytes', async (most) => {
    const { file, written } = sparingFile(most);
    await writePieces(file, inPieces([1, 2, 3], [], [4], [5, 6, 7, 8], []));
    expect(written).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('asks for no more buffers at once than the system takes', async () => {
    const { file, written, counts } = sparingFile(10_000);
    await writePieces(file, inPieces(...Array.from({ length: 2500 }, (_, i) => [i % 256])));
    expect(written).toHaveLength(2500);
    expect(counts).toEqual([1024, 1024, 452]);
  });
});

describe('pieces of a tensor', () => {
  it("are its own memory where it lies in order, and a copy where it doesn't", async () => {
    const rows = tensor([
      [1, 2],
      [3, 4],
    ]);
    const first = async (of: typeof rows) => {
      for await (const piece of tensorPieces(of)) return new Float32Array(piece.buffer, piece.byteOffset, 4);
      throw new Error('no piece');
    };
    const own = await first(rows);
    const turned = await first(rows.t());
    rows.fill_(7);
    expect([...own]).toEqual([7, 7, 7, 7]);
    expect([...turned]).toEqual([1, 3, 2, 4]);
  });

  it('are read back into a tensor of any dtype and order of bytes', async () => {
    const reader = (bytes: number[]) => ({ fill: async (target: Uint8Array) => target.set(bytes) });
    const swapped = await readTensor(reader([1, 0, 0, 2]), [2], 'int16', { swap: true });
    expect(swapped.arraySync()).toEqual([256, 2]);
    const bools = await readTensor(reader([0, 1, 255, 0]), [2, 2], 'bool');
    expect(bools.sum().item()).toBe(2);
    expect((await readTensor(reader([]), [0, 3], 'float32')).shape).toEqual([0, 3]);
  });

  it('leave nothing behind where reading fails', async () => {
    const broken = { fill: () => Promise.reject(new Error('cut')) };
    await expect(readTensor(broken, [3], 'float32')).rejects.toThrow('cut');
  });
});
