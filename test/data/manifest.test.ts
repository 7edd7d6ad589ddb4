/** Images that are listed in a CSV, TSV or JSONL file: splits, classes, and errors with the number of the line. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readManifest, splitsOfRows } from '../../lib/data/manifest-file.js';
import { ArgumentError, DatasetError, data } from '../../lib/index.js';
import { collectWarnings } from '../support/warnings.js';
import { png } from './streams.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-manifest-'));
  await mkdir(join(root, 'images'));
  for (let i = 0; i < 8; i++) await writeFile(join(root, `images/${i}.png`), await png(10 * i));
  await writeFile(join(root, 'images/a, b.png'), await png(90));
});
afterAll(() => rm(root, { recursive: true }));

let files = 0;
/** Writes a manifest and returns its path. */
async function write(text: string | Uint8Array, ending = '.csv'): Promise<string> {
  const file = join(root, `m${files++}${ending}`);
  await writeFile(file, text);
  return file;
}
const read = async (
  text: string | Uint8Array,
  options: Partial<data.ManifestOptions> = {},
  ending = '.csv',
) => data.manifest({ file: await write(text, ending), size: 4, ...options });
const levels = async (set: data.ImageDataset) => {
  const samples = await Promise.all(Array.from({ length: set.length }, (_, i) => set.get(i)));
  return samples.map(({ image, label }) => [image[0], label]);
};

const SPLITS = `path,label,split
images/0.png,dog,train
images/1.png,cat,train
images/2.png,cat,test
images/3.png,dog,valid
images/4.png,dog,test
`;

describe('a manifest', () => {
  it('has the images of a split with the classes of training, in its order', async () => {
    const set = await read(SPLITS);
    expect(set).toMatchObject({
      name: 'manifest',
      split: 'train',
      classes: ['cat', 'dog'],
      shape: [3, 4, 4],
    });
    expect(await levels(set)).toEqual([
      [0, 1],
      [10, 0],
    ]);
    expect([set.nameOf?.(0), set.nameOf?.(1)]).toEqual(['images/0.png', 'images/1.png']);
    expect(await levels(await read(SPLITS, { split: 'test' }))).toEqual([
      [20, 0],
      [40, 1],
    ]);
    expect(await levels(await read(SPLITS, { split: 'val' }))).toEqual([[30, 1]]);
    // Without rows for testing, those for validation are used.
    const noTest = SPLITS.replaceAll(/.*,test\n/g, '');
    expect(await levels(await read(noTest, { split: 'test' }))).toEqual([[30, 1]]);
  });

  it('may begin with a byte order mark, have quoted commas, other columns and lines of Windows', async () => {
    const text =
      '\ufeffid,Label , File_Name\r\n7,"one, two","images/a, b.png"\r\n\r\n8, three ,images/1.png\r\n';
    const set = await read(text);
    expect(set.classes).toEqual(['one, two', 'three']);
    expect(await levels(set)).toEqual([
      [90, 0],
      [10, 1],
    ]);
    expect(set.nameOf?.(0)).toBe('images/a, b.png');
  });

  it('is read with tabs, and as a JSON object in every line', async () => {
    const rows = [
      { file_name: join(root, 'images/5.png'), label: 10, split: 'train', note: 'absolute' },
      { path: 'images/6.png', label: 9, split: 'train' },
      { path: 'images/7.png', label: 9, split: 'validation' },
    ];
    const lines = `${rows.map((row) => JSON.stringify(row)).join('\n')}\n\n`;
    for (const ending of ['.jsonl', '.NDJSON']) {
      const set = await read(lines, {}, ending);
      // Numbers are in numerical order.
      expect([set.classes, await levels(set)]).toEqual([
        ['9', '10'],
        [
          [50, 1],
          [60, 0],
        ],
      ]);
      expect(await levels(await read(lines, { split: 'val' }, ending))).toEqual([[70, 0]]);
    }
    const tabs = 'label\tpath\ncat\timages/1.png\na, b\timages/2.png\n';
    expect((await read(tabs, {}, '.tsv')).classes).toEqual(['a, b', 'cat']);
  });

  it('without splits has all images in each', async () => {
    const text = 'path,label,split\nimages/1.png,a,\nimages/2.png,b,\n';
    for (const split of ['train', 'test', 'val'] as const)
      expect((await read(text, { split })).length).toBe(2);
    expect(splitsOfRows(await readManifest(await write(text)))).toBeNull();
    expect(splitsOfRows(await readManifest(await write(SPLITS)))).toEqual(new Set(['train', 'test', 'val']));
  });

  it('has the labels of given classes, such as those of a run', async () => {
    const classes = ['bee', 'dog', 'cat'];
    const test = await read('path,label,split\nimages/2.png,cat,test\nimages/3.png,bee,test\n', {
      split: 'test',
      classes,
      onSkip: () => {},
    });
    expect([...test.labels]).toEqual([2, 0]);
    const file = await write(SPLITS);
    const created = await data.create('manifest', { root: file, split: 'train', classes: ['dog', 'cat'] });
    expect([created.shape, [...created.labels]]).toEqual([
      [3, 130, 130],
      [0, 1],
    ]);
  });

  it('whose test rows lack a class is a process warning', async () => {
    const warnings = collectWarnings();
    await read(SPLITS.replace('images/2.png,cat,test\n', ''), { split: 'test' });
    expect(await warnings()).toEqual([expect.stringMatching(/no images of 1 of 2 classes: cat$/)]);
  });
});

describe('an error names the file and the line', () => {
  const head = 'path,label,split\nimages/0.png,dog,train\nimages/1.png,cat,train\n';
  it.each<[string, string | Uint8Array, RegExp, Partial<data.ManifestOptions>?, string?]>([
    [
      'a missing file',
      `${head}images/x.png,cat,train\nimages/y.png,cat,train\n`,
      /line 4: images\/x\.png: cannot be read as an image, and 1 more \(2 of 4 images\): no such file$/,
    ],
    [
      'a file that is no image',
      `${head}m0.csv,cat,train\n`,
      /line 4: m0\.csv: cannot be read as an image \(1 of 3/,
    ],
    [
      'a label that is not in the training rows',
      `${head}images/2.png,bird,test\n`,
      /line 4: expected one of the 2 classes cat, dog for label but found bird$/,
      { split: 'test' },
    ],
    [
      'a label that is not among the given classes',
      head,
      /line 3: .* classes dog, emu for label but found cat$/,
      { classes: ['dog', 'emu'] },
    ],
    [
      'an unknown split',
      `${head}images/2.png,cat,dev\n`,
      /line 4: expected one of train, val, valid, validation, test for split but found 'dev' \(string\)$/,
    ],
    [
      'a row without the split of others',
      `${head}images/2.png,cat,\n`,
      /line 4: expected a split, as the rows before/,
    ],
    [
      'an image in two rows',
      `${head}./images/0.png,dog,test\n`,
      /line 4: expected every image once but \.\/images\/0\.png is also in line 2$/,
    ],
    [
      'a column twice',
      'path,label,path\na,b,c\n',
      /line 1: expected unique column names but found 'path' \(string\) twice$/,
    ],
    [
      'a missing column',
      'image,label\na,b\n',
      /line 1: expected the columns path and label, and optionally split, but found image, label$/,
    ],
    ['a short row', `${head}images/2.png,cat\n`, /line 4: expected 3 fields, as in the header, but found 2$/],
    [
      'an empty path',
      `${head},cat,train\n`,
      /line 4: expected the path of an image for path but found '' \(string\)$/,
    ],
    ['an empty label', `${head}images/2.png, ,train\n`, /line 4: expected the name of a class for label/],
    ['a quote without an end', `${head}"images/2.png,cat,train\n`, /line 4: expected a closing quote/],
    [
      'text that is not JSON',
      '{"path": "images/1.png", "label": "a"}\nimages/2.png\n',
      /line 2: expected an object in JSON: /,
      {},
      '.jsonl',
    ],
    [
      'other separators',
      'path;label\na.png;b\n',
      /line 1: expected the columns path and label, .* found path;label: separate columns with commas$/,
    ],
    [
      'JSON that is no object',
      '[1]\n',
      /line 1: expected an object in JSON but found \[1\] \(array\)$/,
      {},
      '.jsonl',
    ],
    [
      'an object without a label',
      '{"path": "a.png", "class": 1}\n',
      /line 1: expected an object with path and label, .* keys path, class$/,
      {},
      '.jsonl',
    ],
    [
      'a label of another type',
      '{"path": "a.png", "label": 1.5}\n',
      /line 1: expected the name of a class for label but found 1\.5 \(number\)$/,
      {},
      '.jsonl',
    ],
  ])('for %s', async (_, text, message, options = {}, ending = '.csv') => {
    const failed = read(text, options, ending);
    await expect(failed).rejects.toThrow(DatasetError);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(/m\d+\.\w+, line/);
  });

  it.each<[string, string | Uint8Array, RegExp, Partial<data.ManifestOptions>?, string?]>([
    [
      'an empty split',
      head.replaceAll(',train', ',test'),
      /expected rows of the split train but found none, only of test \(2\)$/,
    ],
    ['no rows', 'path,label\n', /expected a row for every image but found none$/],
    ['an empty file', '', /expected a row for every image but found none$/],
    ['one class', 'path,label\nimages/1.png,a\n', /expected from 2 to 65536 classes but found 1: a$/],
    [
      'a class without training rows',
      head,
      /expected images of every class but found none of emu$/,
      { classes: ['cat', 'dog', 'emu'] },
    ],
    [
      'bytes that are not UTF-8',
      Buffer.from(`\ufeff${head}`, 'utf16le'),
      /expected text in UTF-8 but found other bytes$/,
    ],
    [
      'another ending',
      head,
      /expected the name of a manifest to end in \.csv, \.tsv, \.jsonl or \.ndjson$/,
      {},
      '.txt',
    ],
  ])('or the file alone, for %s', async (_, text, message, options = {}, ending = '.csv') => {
    const failed = read(text, options, ending);
    await expect(failed).rejects.toThrow(DatasetError);
    await expect(failed).rejects.toThrow(message);
  });

  it('that is missing or no file', async () => {
    const none = join(root, 'none.csv');
    await expect(data.manifest({ file: none })).rejects.toThrow(
      `${none}: cannot be read as a manifest: no such file`,
    );
    await mkdir(join(root, 'folder.csv'));
    await expect(data.manifest({ file: join(root, 'folder.csv') })).rejects.toThrow(
      /folder\.csv: cannot be read as a manifest: it is a folder/,
    );
    for (const [options, message] of [
      [{ file: '' }, 'the path of a manifest for file'],
      [{ file: none, split: 'dev' }, "for split but received 'dev'"],
      [{ file: none, size: 0 }, 'an integer from 1 to 4096 for size'],
      [{ file: none, maxPixels: 0 }, 'an integer from 1 for maxPixels'],
      [{ file: none, memoryLimit: -1 }, 'a number of bytes for memoryLimit'],
      [{ file: none, unreadable: 'no' }, "'error' or 'skip' for unreadable"],
      [{ file: none, onSkip: 1 }, 'a function for onSkip'],
    ] as const) {
      await expect(data.manifest(options as never), message).rejects.toThrow(ArgumentError);
      await expect(data.manifest(options as never)).rejects.toThrow(message);
    }
  });
});

it('images that cannot be read are left out by their lines', async () => {
  const skipped: [string, string][] = [];
  const onSkip = (file: string, reason: string) => skipped.push([file, reason]);
  const text = 'path,label\nimages/0.png,a\nimages/x.png,a\nimages/1.png,b\n';
  for (const memoryLimit of [undefined, 0]) {
    skipped.length = 0;
    const file = await write(text);
    const set = await data.manifest({ file, size: 4, unreadable: 'skip', onSkip, memoryLimit });
    expect(skipped).toEqual([[`${file}, line 3: images/x.png`, 'no such file']]);
    expect(await levels(set)).toEqual([
      [0, 0],
      [10, 1],
    ]);
  }
});
