/** Parquet files: columns of Hugging Face, row groups in random order, damage. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArgumentError, DatasetError, data } from '../../lib/index.js';
import { png, readBatches } from './streams.js';

let folder: string;
const transform = data.transforms.compose([data.transforms.resize({ size: 4 })]);
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** A file of rows `first` to before `end` in groups of 5, as Hugging Face's library writes it. */
async function rows(first: number, end: number, images?: Uint8Array[]): Promise<Buffer> {
  const indices = range(end - first).map((i) => first + i);
  const info = { features: { label: { _type: 'ClassLabel', names: ['a', 'b', 'c'] } } };
  const pictures = images ?? (await Promise.all(indices.map((i) => png(i))));
  const element = (name: string, type: string, more = {}) => ({
    name,
    type,
    repetition_type: 'OPTIONAL',
    ...more,
  });
  return Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'unused', data: indices.map(String) },
        { name: 'image', data: indices.map((i, at) => ({ bytes: pictures[at], path: `${i}.png` })) },
        { name: 'label', data: indices.map((i) => BigInt(i % 3)) },
      ],
      schema: [
        { name: 'root', num_children: 3 },
        element('unused', 'BYTE_ARRAY', { converted_type: 'UTF8' }),
        { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
        element('bytes', 'BYTE_ARRAY'),
        element('path', 'BYTE_ARRAY', { converted_type: 'UTF8' }),
        element('label', 'INT64'),
      ] as never,
      rowGroupSize: 5,
      kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info }) }],
    }),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-parquet-'));
  await writeFile(join(folder, '0.parquet'), await rows(0, 20));
  await writeFile(join(folder, '1.parquet'), await rows(20, 33));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const files = () => ['0.parquet', '1.parquet'].map((name) => join(folder, name));
const levels = async (set: data.ImageStream, options = {}, position?: data.LoaderPosition) => {
  const loader = data.loader(set, { batchSize: 4, transform, ...options });
  if (position) loader.seek(position);
  return (await readBatches(loader)).map((batch) => batch.levels);
};

describe('files', () => {
  it('have a length, the classes of Hugging Face, and their images in order', async () => {
    const set = await data.parquet(files(), { image: 'image', label: 'label' });
    expect([set.length, set.classes]).toEqual([33, ['a', 'b', 'c']]);
    const loader = data.loader(set, { batchSize: 4, transform });
    expect([loader.length, loader.numImages]).toEqual([9, 33]);
    const seen = await readBatches(loader);
    expect(seen.flatMap((batch) => batch.levels)).toEqual(range(33));
    expect(seen.flatMap((batch) => batch.labels)).toEqual(range(33).map((i) => i % 3));
  });

  it('are shuffled, row groups first, and resumed bit-exactly', async () => {
    const options = { shuffle: true, shuffleBuffer: 3, seed: 5 };
    const whole = await levels(await data.parquet(files()), options);
    expect(whole.flat().toSorted((a, b) => a - b)).toEqual(range(33));
    expect(
      new Set(
        whole
          .flat()
          .slice(0, 2)
          .map((level) => Math.floor(level / 5)),
      ).size,
    ).toBe(1);
    const resumed = await levels(await data.parquet(files()), options, { epoch: 0, batch: 3 });
    expect(resumed).toEqual(whole.slice(3));
  });

  it('may have plain bytes and names of classes', async () => {
    const file = join(folder, 'names.parquet');
    const columns = [
      { name: 'img', data: [await png(4), await png(6)], type: 'BYTE_ARRAY' as const },
      { name: 'kind', data: ['dog', 'cat'] },
    ];
    await writeFile(file, Buffer.from(parquetWriteBuffer({ columnData: columns })));
    const set = await data.parquet(file, { image: 'img', label: 'kind', classes: ['cat', 'dog'] });
    const seen: unknown[] = [];
    for await (const { label, image } of set) seen.push(label, (image as Uint8Array)[0]);
    expect(seen).toEqual([1, 4, 0, 6]);
  });

  it('have the same classes in the same order, as their integers are indices into their own names', async () => {
    const file = async (name: string, names: readonly string[]) => {
      const path = join(folder, `${name}.parquet`);
      const columnData = [
        { name: 'image', data: [await png(1)], type: 'BYTE_ARRAY' as const },
        { name: 'label', data: [0n] },
      ];
      const value = JSON.stringify({ info: { features: { label: { names } } } });
      const kvMetadata = [{ key: 'huggingface', value }];
      await writeFile(path, Buffer.from(parquetWriteBuffer({ columnData, kvMetadata })));
      return path;
    };
    const [cat, dog] = [await file('cat first', ['cat', 'dog']), await file('dog first', ['dog', 'cat'])];
    const order =
      /dog first\.parquet: expected the 2 classes cat, dog but found 2: dog, cat \(the same names in another order\)/;
    await expect(data.parquet([cat, dog])).rejects.toThrow(order);
    await expect(data.parquet(dog, { classes: ['cat', 'dog'] })).rejects.toThrow(order);
    const more = await file('more', ['cat', 'dog', 'eel']);
    await expect(data.parquet([cat, more])).rejects.toThrow(
      /more\.parquet: expected the 2 classes .*not expected: eel/,
    );
    // Other names for the classes in the file.
    expect((await data.parquet(dog, { classes: ['Hund', 'Katze'] })).classes).toEqual(['Hund', 'Katze']);
    expect((await data.parquet([cat, cat])).length).toBe(2);
  });

  it('are read in parts from a server', async () => {
    const content = await readFile(join(folder, '0.parquet'));
    const server: Server = createServer((request, response) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      if (request.method === 'HEAD')
        return void response.writeHead(200, { 'content-length': content.length }).end();
      const part = content.subarray(Number(first), Number(last) + 1);
      response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${content.length}` }).end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const set = await data.parquet(`http://127.0.0.1:${(server.address() as AddressInfo).port}/0.parquet`);
    expect((await levels(set)).flat()).toEqual(range(20));
    server.close();
  });
});

describe('errors', () => {
  it('name the file, the column, the row and the option', async () => {
    const [first] = files() as [string];
    const broken = join(folder, 'broken.parquet');
    await writeFile(broken, 'PAR1 no parquet PAR1');
    const whole = await readFile(first);
    const others = { cut: whole.subarray(0, -9), empty: '', text: 'path,label' };
    for (const [name, bytes] of Object.entries(others))
      await writeFile(join(folder, `${name}.parquet`), bytes);
    const dataErrors: [string, object, string][] = [
      [first, { image: 'img' }, `${first}: expected a column img but found unused, image, label`],
      [broken, {}, `${broken}: cannot be read as parquet, its footer is damaged: `],
      [join(folder, 'cut.parquet'), {}, 'cut.parquet: the parquet file is incomplete: its end is missing'],
      [join(folder, 'empty.parquet'), {}, 'empty.parquet: the file is empty'],
      [
        join(folder, 'text.parquet'),
        {},
        'text.parquet: expected a parquet file but found another kind of file',
      ],
      [join(folder, 'none.parquet'), {}, 'none.parquet: no such file'],
    ];
    for (const [file, options, message] of dataErrors) {
      await expect(data.parquet(file, options), message).rejects.toThrow(DatasetError);
      await expect(data.parquet(file, options)).rejects.toThrow(message);
    }
    const refused: [unknown, object, string][] = [
      [[], {}, 'at least one path for files'],
      [first, { image: 5 }, 'the name of a column for image'],
      [first, { classes: 'ab' }, "a list of names for classes but received 'ab'"],
      [first, { size: 0 }, 'an integer from 1 to 4096 for size'],
      [first, { unreadable: true }, "'error' or 'skip' for unreadable"],
    ];
    for (const [file, options, message] of refused) {
      await expect(data.parquet(file as never, options), message).rejects.toThrow(ArgumentError);
      await expect(data.parquet(file as never, options)).rejects.toThrow(message);
    }
  });

  it('of images are of the row, or leave it out; of a damaged group leave out the group', async () => {
    const file = join(folder, 'bad.parquet');
    const images: Uint8Array[] = await Promise.all(range(10).map((i) => png(i)));
    images[3] = Buffer.from('no image');
    await writeFile(file, await rows(0, 10, images));
    await expect(levels(await data.parquet(file))).rejects.toThrow(
      `${file} (row 3): cannot be read as a sample`,
    );
    const skipped: string[] = [];
    const options = { unreadable: 'skip', onSkip: (name: string) => skipped.push(name) } as const;
    expect((await levels(await data.parquet(file, options))).flat()).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
    expect(skipped).toEqual([`${file} (row 3)`]);
    const content = await readFile(files()[0]!);
    content.fill(0xff, 4, 300); // the first pages
    await writeFile(file, content);
    skipped.length = 0;
    const rest = (await levels(await data.parquet(file, options))).flat();
    expect(skipped).toEqual([`${file} (rows 0 to 4)`]);
    expect(rest).toEqual(range(15).map((i) => i + 5));
  });
});
