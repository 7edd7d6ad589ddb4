import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cifar10Options, cifar10, cifar100 } from '../../lib/data/cifar.js';
import { ArgumentError, DatasetError, DownloadError } from '../../lib/errors.js';
import { binaryBatch, type FakeBatch, fakeBatch, pickleBatch, pickleMeta, tarGz } from './fixtures.js';

const names = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const batches = [1, 2, 3, 4, 5, 6].map((seed) => fakeBatch(seed, 7));
const testBatch = batches[5]!;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-cifar-'));
});
afterEach(() => rm(root, { recursive: true }));

/** Members of the python archive in arbitrary order, as in the published one. */
function pythonMembers(): Record<string, Uint8Array> {
  const folder = 'cifar-10-batches-py/';
  return {
    [folder]: new Uint8Array(0),
    [`${folder}data_batch_4`]: pickleBatch(batches[3]!),
    [`${folder}readme.html`]: Buffer.from('<html>'),
    [`${folder}test_batch`]: pickleBatch(testBatch),
    [`${folder}data_batch_3`]: pickleBatch(batches[2]!),
    [`${folder}batches.meta`]: pickleMeta(names),
    [`${folder}data_batch_2`]: pickleBatch(batches[1]!),
    [`${folder}data_batch_5`]: pickleBatch(batches[4]!),
    [`${folder}data_batch_1`]: pickleBatch(batches[0]!),
  };
}

function binaryMembers(): Record<string, Uint8Array> {
  const folder = 'cifar-10-batches-bin/';
  const members: Record<string, Uint8Array> = { [`${folder}test_batch.bin`]: binaryBatch(testBatch) };
  for (const i of [5, 3, 1, 2, 4]) members[`${folder}data_batch_${i}.bin`] = binaryBatch(batches[i - 1]!);
  members[`${folder}batches.meta.txt`] = Buffer.from(`${names.join('\n')}\n\n`);
  return members;
}

async function writeArchive(members: Record<string, Uint8Array>, kind = 'python'): Promise<string> {
  const file = join(root, `cifar-10-${kind}.tar.gz`);
  await writeFile(file, await tarGz(members));
  return file;
}

function joined(parts: readonly FakeBatch[], key: keyof FakeBatch): Buffer {
  return Buffer.concat(parts.map((part) => part[key]));
}

for (const [kind, members] of [
  ['python', pythonMembers],
  ['binary', binaryMembers],
] as const) {
  test(`reads both splits of the ${kind} archive, batches in their order`, async () => {
    await writeArchive(members(), kind);
    const train = await cifar10({ root, split: 'train', verify: false });
    expect(train).toMatchObject({
      name: 'cifar10',
      split: 'train',
      length: 35,
      classes: names,
      shape: [3, 32, 32],
    });
    expect(Buffer.compare(train.images, joined(batches.slice(0, 5), 'images'))).toBe(0);
    expect(Buffer.compare(train.labels as Uint8Array, joined(batches.slice(0, 5), 'labels'))).toBe(0);
    const { image, label } = train.get(8);
    expect(Buffer.compare(image, batches[1]!.images.subarray(3072, 6144))).toBe(0);
    expect(label).toBe(batches[1]!.labels[1]);
    const test = await cifar10({ root, split: 'test', verify: false });
    expect(Buffer.compare(test.images, testBatch.images)).toBe(0);
  });
}

test('get refuses an index outside the set', async () => {
  await writeArchive(pythonMembers());
  const set = await cifar10({ root, split: 'test', verify: false });
  for (const index of [-1, 7, 0.5, Number.NaN]) expect(() => set.get(index)).toThrow(ArgumentError);
});

test('an archive without class names has the published ones, otherwise its own', async () => {
  const members = pythonMembers();
  delete members['cifar-10-batches-py/batches.meta'];
  await writeArchive(members);
  expect((await cifar10({ root, split: 'test', verify: false })).classes).toEqual(names);
  const own = names.map((name) => name.toUpperCase());
  await writeArchive({ ...members, 'batches.meta': pickleMeta(own) });
  expect((await cifar10({ root, split: 'test', verify: false })).classes).toEqual(own);
});

test('names the searched folders and how to get a missing archive', async () => {
  const missing = cifar10({ root, split: 'train' });
  await expect(missing).rejects.toThrow(DatasetError);
  await expect(missing).rejects.toThrow(
    `Expected cifar-10-python.tar.gz or cifar-10-binary.tar.gz in ${root} but found no such file. Set download: true`,
  );
  await expect(cifar10({ root, split: 'validation' as 'test' })).rejects.toThrow(ArgumentError);
});

test('a wrong checksum is reported before anything is parsed', async () => {
  const file = await writeArchive(pythonMembers());
  const wrong = cifar10({ root, split: 'train' });
  await expect(wrong).rejects.toThrow(DatasetError);
  await expect(wrong).rejects.toThrow(
    `${file}: expected the published file with MD5 c58f30108f718f92721af3b95e74349a`,
  );
});

test('a truncated archive, and one that is no gzip, is damaged', async () => {
  const archive = await tarGz(pythonMembers());
  const file = join(root, 'cifar-10-python.tar.gz');
  for (const bytes of [
    archive.subarray(0, 100_000),
    archive.subarray(0, 5),
    Buffer.from('<html>404</html>'),
  ]) {
    await writeFile(file, bytes);
    const damaged = cifar10({ root, split: 'train', verify: false });
    await expect(damaged).rejects.toThrow(DatasetError);
    await expect(damaged).rejects.toThrow(`${file}: is damaged`);
  }
  await writeFile(file, '');
  await expect(cifar10({ root, split: 'train', verify: false })).rejects.toThrow(DatasetError);
});

test('names missing and doubled members', async () => {
  const members = pythonMembers();
  delete members['cifar-10-batches-py/data_batch_3'];
  await writeArchive(members);
  await expect(cifar10({ root, split: 'train', verify: false })).rejects.toThrow(
    /expected the member data_batch_3 but it is missing/,
  );
  await writeArchive({ 'a/data_batch_4': pickleBatch(batches[3]!), ...pythonMembers() });
  await expect(cifar10({ root, split: 'train', verify: false })).rejects.toThrow(/data_batch_4 occurs twice/);
});

test('a member outside the folder is read by its name and never written', async () => {
  const members = { ...pythonMembers(), '../../../../tmp/dyconv-escaped': Buffer.from('no') };
  await writeArchive(members);
  await cifar10({ root, split: 'train', verify: false, cache: false });
  expect(await readdir(root)).toEqual(['cifar-10-python.tar.gz']);
});

test('names the member that holds something else', async () => {
  const broken: [Uint8Array, RegExp][] = [
    [Buffer.from('garbage'), /member test_batch: opcode 0x67/],
    [
      pickleBatch({ ...testBatch, labels: Uint8Array.of(...testBatch.labels.slice(1), 10) }),
      /from 0 to 9 but image 6 has label 10/,
    ],
    [pickleBatch(testBatch, 'fine_labels'), /expected 'labels' to be a list of 7 labels/],
    [Buffer.concat([Buffer.from([0x80, 2]), Buffer.from('cos\nsystem\n.')]), /os\.system, which is not data/],
  ];
  for (const [content, message] of broken) {
    await writeArchive({ ...pythonMembers(), 'cifar-10-batches-py/test_batch': content });
    const refused = cifar10({ root, split: 'test', verify: false });
    await expect(refused).rejects.toThrow(DatasetError);
    await expect(refused).rejects.toThrow(message);
  }
  await rm(join(root, 'cifar-10-python.tar.gz'));
  await writeArchive(
    { ...binaryMembers(), 'cifar-10-batches-bin/test_batch.bin': new Uint8Array(3074) },
    'binary',
  );
  await expect(cifar10({ root, split: 'test', verify: false })).rejects.toThrow(
    /expected records of 3073 bytes/,
  );
});

test('CIFAR-100 has fine and coarse labels in both archives', async () => {
  const { images, labels: fine } = fakeBatch(9, 6, 100);
  const coarse = fine.map((label) => label % 20);
  const pickled = pickleBatch({ images, labels: fine }, 'fine_labels');
  await writeFile(join(root, 'cifar-100-python.tar.gz'), await tarGz({ 'cifar-100-python/train': pickled }));
  const python = await cifar100({ root, split: 'train', verify: false });
  expect(python.labels).toEqual(fine);
  expect(python.classes).toHaveLength(100);
  await rm(join(root, 'cifar-100-python.tar.gz'));
  const binary = await tarGz({ 'cifar-100-binary/train.bin': binaryBatch({ images, labels: fine }, coarse) });
  await writeFile(join(root, 'cifar-100-binary.tar.gz'), binary);
  expect((await cifar100({ root, split: 'train', verify: false })).labels).toEqual(fine);
  const superclasses = await cifar100({ root, split: 'train', verify: false, labels: 'coarse' });
  expect(superclasses.labels).toEqual(coarse);
  expect(superclasses.classes).toHaveLength(20);
  await expect(cifar100({ root, split: 'train', labels: 'both' as 'fine' })).rejects.toThrow(ArgumentError);
});

test('downloads from a mirror, verified, with progress', async () => {
  const archive = await tarGz(pythonMembers());
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror/`;
  try {
    const wrong = cifar10({ root, split: 'test', download: true, url });
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(createHash('md5').update(archive).digest('hex'));
    expect(await readdir(root)).toEqual([]);
    const seen: string[] = [];
    const set = await cifar10({
      root,
      split: 'test',
      download: true,
      verify: false,
      url,
      onProgress: (file, done, total, phase) => seen.push(`${phase} ${file} ${done === total}`),
    });
    expect(set.length).toBe(7);
    const parsed = seen.findIndex((text) => text.startsWith('parse'));
    expect(parsed).toBeGreaterThan(0);
    expect(seen[0]).toBe('download cifar-10-python.tar.gz false');
    expect(seen[parsed - 1]).toBe('download cifar-10-python.tar.gz true');
    expect(seen.slice(parsed).every((text) => text.startsWith('parse cifar-10-python.tar.gz'))).toBe(true);
    expect(seen.at(-1)).toBe('parse cifar-10-python.tar.gz true');
    expect(asked).toEqual(['/mirror/cifar-10-python.tar.gz', '/mirror/cifar-10-python.tar.gz']);
    await cifar10({ root, split: 'test', download: true, verify: false, url });
    expect(asked).toHaveLength(2);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('mirrors are tried in order, before the publisher; failures and the host that served are reported', async () => {
  const archive = await tarGz(pythonMembers());
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    if (request.url?.startsWith('/empty')) response.writeHead(404).end();
    else response.end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said: unknown[] = [];
  const options: Cifar10Options = {
    ...{ root, download: true, verify: false },
    split: 'test',
    mirrors: [`${base}/empty/`, `${base}/full`],
    onMirrorFailure: (file: string, { url, reason }: { url: string; reason: string }) =>
      said.push([file, url, reason]),
    onDownloaded: (file: string, url: string) => said.push([file, url]),
  };
  const name = 'cifar-10-python.tar.gz';
  try {
    expect((await cifar10(options)).length).toBe(7);
    expect(said).toEqual([
      [name, `${base}/empty/${name}`, 'the server answered with status 404'],
      [name, `${base}/full/${name}`],
    ]);
    expect(asked).toEqual([`/empty/${name}`, `/full/${name}`]);
    await rm(join(root, name));
    process.env.DYCONV_DATA_MIRROR = `${base}/environment`;
    await cifar10({ ...options, mirrors: [`${base}/empty`], cache: false });
    expect(asked.slice(2)).toEqual([`/empty/${name}`, `/environment/${name}`]);
    // `url` replaces all other addresses.
    await rm(join(root, name));
    const alone = cifar10({ ...options, url: `${base}/empty`, cache: false });
    await expect(alone).rejects.toThrow(DownloadError);
    expect(asked.slice(4)).toEqual([`/empty/${name}`]);
  } finally {
    delete process.env.DYCONV_DATA_MIRROR;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('addresses of mirrors are checked', async () => {
  const wrong = { root, split: 'test', download: true } as const;
  await expect(cifar10({ ...wrong, mirrors: 'http://host' as never })).rejects.toThrow(
    'Expected an array of URLs for mirrors but received',
  );
  await expect(cifar10({ ...wrong, mirrors: ['http://host', 'ftp://host'] })).rejects.toThrow(
    'Expected the http(s) URL of a folder for mirrors[1] but received',
  );
});
