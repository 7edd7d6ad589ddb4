/** Tar shards: local and from a server that cuts connections, shuffled and resumed; damaged ones; memory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandBraces } from '../../lib/data/shards.js';
import { ArgumentError, DatasetError, DownloadError, data } from '../../lib/index.js';
import { png, readBatches, shard, tar } from './streams.js';

let folder: string;
const transform = data.transforms.compose([data.transforms.resize({ size: 4 })]);
const range = (length: number) => Array.from({ length }, (_, i) => i);
const levels = async (set: data.ImageStream, options = {}, position?: data.LoaderPosition) => {
  const loader = data.loader(set, { batchSize: 5, transform, ...options });
  if (position) loader.seek(position);
  return (await readBatches(loader)).map((batch) => batch.levels);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-shards-'));
  for (const i of range(3))
    await writeFile(join(folder, `train-00${i}.tar`), await shard(10 * i, 10 * i + 10));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const pattern = () => join(folder, 'train-{000..002}.tar');

describe('local shards', () => {
  it('give their images and labels in order', async () => {
    const set = data.webDataset(pattern(), { length: 30, classes: ['a', 'b', 'c'] });
    const loader = data.loader(set, { batchSize: 5, transform });
    expect(loader.length).toBe(6);
    const seen = await readBatches(loader);
    expect(seen.flatMap((batch) => batch.levels)).toEqual(range(30));
    expect(seen.flatMap((batch) => batch.labels)).toEqual(range(30).map((i) => i % 3));
  });

  it('are a loop over samples, decoded at their own size or at `size`', async () => {
    const shapes: unknown[] = [];
    for await (const { shape, label } of data.webDataset(join(folder, 'train-000.tar')))
      shapes.push([shape, label]);
    expect(shapes.slice(0, 3)).toEqual([
      [[3, 8, 8], 0],
      [[3, 9, 8], 1],
      [[3, 10, 8], 2],
    ]);
    expect(shapes).toHaveLength(10);
    for await (const { image, shape } of data.webDataset(join(folder, 'train-001.tar'), {
      size: 6,
      channels: 1,
    })) {
      expect(shape).toEqual([1, 6, 6]);
      expect(image).toHaveLength(36);
      break;
    }
  });

  it('are shuffled, shards first, and resumed bit-exactly', async () => {
    const options = { shuffle: true, shuffleBuffer: 4, seed: 1 };
    const whole = await levels(data.webDataset(pattern()), options);
    const order = whole.flat();
    expect(order.toSorted((a, b) => a - b)).toEqual(range(30));
    expect(order).not.toEqual(range(30));
    // The first samples come from one shard, as the buffer is small.
    const shards = new Set(order.slice(0, 6).map((level) => Math.floor(level / 10)));
    expect(shards.size).toBe(1);
    expect(await levels(data.webDataset(pattern()), options, { epoch: 0, batch: 4 })).toEqual(whole.slice(4));
    expect((await levels(data.webDataset(pattern()), options, { epoch: 1, batch: 0 })).flat()).not.toEqual(
      order,
    );
  });

  it('may be compressed, have other extensions, texts and functions as labels, and members that are no samples', async () => {
    const file = join(folder, 'other.tar.gz');
    const members: [string, Uint8Array | string][] = [
      ['._0.jpg', 'a resource fork'],
      ['0.seg.png', await png(9)],
      ['0.JPG', await png(1)],
      ['0.txt', 'dog'],
      ['0.json', '{"id": 2}'],
      ['1.jpg', await png(2)],
      ['1.txt', 'cat'],
      ['1.json', '{"id": 0}'],
    ];
    await writeFile(file, gzipSync(await tar(members)));
    const names = data.webDataset(file, { label: 'txt', classes: ['cat', 'dog'] });
    const labels: unknown[] = [];
    for await (const { label } of names) labels.push(label);
    const ids = data.webDataset([file], {
      image: ['seg.png', 'jpg'],
      label: ({ json }) => JSON.parse(Buffer.from(json!).toString()).id,
    });
    for await (const { label, image } of ids) labels.push(label, (image as Uint8Array)[0]);
    expect(labels).toEqual([1, 0, 2, 9, 0, 2]);
  });
});

describe('shards of a server', () => {
  let server: Server;
  let cuts = 0;
  const ranges: (string | undefined)[] = [];
  let status = 200;
  let content: Buffer;
  beforeAll(async () => {
    content = await shard(0, 10);
    server = createServer((request, response) => {
      ranges.push(request.headers.range);
      if (status !== 200) return void response.writeHead(status).end();
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': content.length - start,
        ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
      });
      if (cuts-- > 0) {
        response.write(content.subarray(start, start + 3000), () => response.destroy());
        return;
      }
      response.end(content.subarray(start));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/train-0.tar`;

  it('are read as streams, and continued where a connection was cut', async () => {
    cuts = 2;
    expect((await levels(data.webDataset(url()))).flat()).toEqual(range(10));
    expect(ranges).toEqual([undefined, 'bytes=3000-', 'bytes=6000-']);
  });

  it('are a DownloadError with the address if the server refuses, also with unreadable: skip', async () => {
    status = 404;
    const read = () => levels(data.webDataset(url(), { unreadable: 'skip' }));
    await expect(read()).rejects.toThrow(DownloadError);
    await expect(read()).rejects.toThrow(`Reading ${url()} failed: the server answered with status 404`);
    status = 200;
  });
});

describe('damage', () => {
  it('is an error that names the shard and the member, or is left out with its name', async () => {
    const cut = join(folder, 'cut.tar');
    await writeFile(cut, (await shard(0, 10)).subarray(0, 6 * 1024 + 540));
    await expect(levels(data.webDataset(cut))).rejects.toThrow(DatasetError);
    await expect(levels(data.webDataset(cut))).rejects.toThrow(
      `${cut}: cannot be read as a tar archive (in member data/0003.png): Unexpected end of data`,
    );
    const skipped: string[] = [];
    const onSkip = (name: string) => skipped.push(name);
    const rest = data.webDataset([cut, join(folder, 'train-002.tar')], { unreadable: 'skip', onSkip });
    expect((await levels(rest)).flat()).toEqual([0, 1, 2, ...range(10).map((i) => 20 + i)]);
    expect(skipped).toEqual([cut]);
  });

  it('between two members shows in the missing end-of-archive marker: nothing is lost without a message', async () => {
    const whole = await shard(0, 10);
    const cut = join(folder, 'between.tar');
    // A sample has two members of a header and a block of content each.
    await writeFile(cut, whole.subarray(0, 6 * 2048));
    const message =
      'cannot be read as a tar archive (after member data/0005.cls): it has no end-of-archive marker: samples may be incomplete';
    await expect(levels(data.webDataset(cut))).rejects.toThrow(`${cut}: ${message}`);
    const skipped: string[] = [];
    const onSkip = (name: string, reason: string) => skipped.push(`${name}: ${reason}`);
    const rest = data.webDataset(cut, { unreadable: 'skip', onSkip });
    expect((await levels(rest)).flat()).toEqual(range(5)); // the last one may be incomplete
    expect(skipped).toEqual([
      expect.stringContaining(`${cut}: the rest of the shard is skipped: ${message}`),
    ]);
    await writeFile(join(folder, 'cut.tar.gz'), gzipSync(whole).subarray(0, -40));
    await expect(levels(data.webDataset(join(folder, 'cut.tar.gz')))).rejects.toThrow(
      /cut\.tar\.gz: cannot be read as a tar archive.*unexpected end of file/,
    );
    await writeFile(cut, '');
    await expect(levels(data.webDataset(cut))).rejects.toThrow('it has no end-of-archive marker');
  });

  it('does not hide a shard that does not exist, or a set without samples', async () => {
    const none = join(folder, 'none.tar');
    const skipping = { unreadable: 'skip', onSkip: () => {} } as const;
    await expect(levels(data.webDataset(none, skipping))).rejects.toThrow(`${none}: no such file`);
    const empty = join(folder, 'empty.tar');
    await writeFile(empty, await tar([]));
    await expect(levels(data.webDataset(empty))).rejects.toThrow(`${empty}: expected samples but found none`);
    const both = data.webDataset([empty, empty], skipping);
    await expect(levels(both)).rejects.toThrow(`${empty} and 1 more: expected samples but found none`);
  });

  it('of every sample is an error, not an empty epoch', async () => {
    const file = join(folder, 'all-bad.tar');
    await writeFile(
      file,
      await tar([
        ['a.png', 'no image'],
        ['a.cls', '0'],
        ['b.cls', '1'],
      ]),
    );
    const set = data.webDataset(file, { unreadable: 'skip', onSkip: () => {} });
    await expect(levels(set)).rejects.toThrow('expected samples in epoch 0 but all of them were left out');
  });

  it('compression is found by the bytes, not by the name', async () => {
    const whole = await shard(0, 3);
    const files = { 'packed.tar': gzipSync(whole), 'plain.tar.gz': whole };
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(folder, name), bytes);
      expect((await levels(data.webDataset(join(folder, name)))).flat()).toEqual([0, 1, 2]);
    }
  });

  it('of a sample names its key; null is left out', async () => {
    const file = join(folder, 'bad.tar');
    await writeFile(
      file,
      await tar([
        ['a.png', await png(1)],
        ['a.cls', '0'],
        ['b.png', (await png(2)).subarray(0, 40)],
        ['b.cls', '1'],
        ['c.cls', '1'],
        ['d.png', await png(3)],
        ['e.png', await png(4)],
        ['e.cls', 'minus one'],
        ['f.png', await png(5, 40)],
        ['f.cls', '1'],
      ]),
    );
    const skipped: string[] = [];
    const set = data.webDataset(file, {
      unreadable: 'skip',
      maxPixels: 1000,
      onSkip: (name, reason) => skipped.push(`${name.slice(folder.length + 1)}: ${reason}`),
    });
    expect(await levels(set)).toEqual([[1]]);
    expect(skipped.sort()).toEqual([
      expect.stringMatching(/^bad.tar \(b\): cannot be read as a sample: /),
      'bad.tar (c): cannot be read as a sample: it has no image, only cls',
      'bad.tar (d): cannot be read as a sample: it has no file .cls, only png',
      expect.stringContaining(
        'bad.tar (e): cannot be read as a sample: expected an integer from 0, or the option classes,',
      ),
      'bad.tar (f): cannot be read as a sample: it has more than 1000 pixels, the limit of maxPixels',
    ]);
    await expect(levels(data.webDataset(file))).rejects.toThrow(`${file} (b): cannot be read as a sample`);
  });

  it('of arguments is named', async () => {
    const refused: [unknown, object, string][] = [
      [[], {}, 'a path or an address, or a list of them for urls'],
      [5, {}, 'for urls but received 5'],
      ['a.tar', { label: 5 }, 'an extension or a function for label'],
      ['a.tar', { image: [5] }, 'a string for image[0]'],
      [
        'a.tar',
        { image: '.jpg' },
        "an extension without the dot, or a list of them for image but received '.jpg'",
      ],
      ['a.tar', { classes: 'ab' }, "a list of names for classes but received 'ab'"],
      ['a.tar', { length: 1.5 }, 'an integer from 1, or undefined for options.length'],
      ['a.tar', { channels: 2 }, '1 or 3 for channels'],
      ['a.tar', { unreadable: 'ignore' }, "'error' or 'skip' for unreadable"],
      ['a.tar', { shuffle: true }, "but received 'shuffle'"],
    ];
    for (const [urls, options, message] of refused) {
      expect(() => data.webDataset(urls as never, options), message).toThrow(ArgumentError);
      expect(() => data.webDataset(urls as never, options)).toThrow(message);
    }
    await expect(levels(data.webDataset(join(folder, 'none.tar')))).rejects.toThrow('none.tar: no such file');
  });
});

it('braces are written out', () => {
  expect(expandBraces('a-{08..11}.tar')).toEqual(['a-08.tar', 'a-09.tar', 'a-10.tar', 'a-11.tar']);
  expect(expandBraces('{a,b}/{1..2}')).toEqual(['a/1', 'a/2', 'b/1', 'b/2']);
  expect(expandBraces('plain{}.tar')).toEqual(['plain{}.tar']);
});
