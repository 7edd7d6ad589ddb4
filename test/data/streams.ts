/** Image files, shards, and reading of batches for the tests of data sets that are read in sequence. */
import sharp from 'sharp';
import { pack } from 'tar-stream';
import type { data } from '../../lib/index.js';

/** A PNG of one color: [level, 2 level, 3 level] modulo 256. */
export async function png(level: number, size = 8): Promise<Buffer> {
  const background = { r: level % 256, g: (2 * level) % 256, b: (3 * level) % 256 };
  return sharp({ create: { width: size, height: size + (level % 3), channels: 3, background } })
    .png()
    .toBuffer();
}

/** A tar archive of these members, in order. */
export async function tar(members: readonly [name: string, content: Uint8Array | string][]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of members) archive.entry({ name }, Buffer.from(content));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A shard of the samples `first` to before `end`: sample i is a PNG of level i with the label i modulo 3. */
export async function shard(first: number, end: number): Promise<Buffer> {
  const members: [string, Uint8Array | string][] = [];
  for (let i = first; i < end; i++)
    members.push(
      [`data/${String(i).padStart(4, '0')}.png`, await png(i)],
      [`data/${String(i).padStart(4, '0')}.cls`, `${i % 3}\n`],
    );
  return tar(members);
}

/** What a batch contains: the red level of the first pixel and the label of each image. */
export interface Seen {
  levels: number[];
  labels: number[];
}

/** Reads a loader to its end, or only the first batches. */
export async function readBatches(
  loader: AsyncIterable<data.Batch>,
  most = Number.POSITIVE_INFINITY,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { images, labels } of loader) {
    const [count = 0, ...shape] = images.shape;
    const size = shape.reduce((a, b) => a * b, 1);
    const values = images.dataSync({ dtype: 'float32' });
    seen.push({
      levels: Array.from({ length: count }, (_, i) => Math.round(values[i * size]! * 255)),
      labels: Array.from(labels.dataSync(), Number),
    });
    images.dispose();
    labels.dispose();
    if (seen.length === most) break;
  }
  return seen;
}
