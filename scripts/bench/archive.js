/**
 * From an archive of CIFAR-10's exact format and size to the first batch, each time in a separate process.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashFile } from '../../dist/files/download.js';
import { data } from '../../dist/index.js';
import { writeCifar10 } from './cifar-archive.js';
import { memoryOfProcess } from './turns.js';

/** @typedef {{ seconds: number, cpu_seconds: number, peak_extra_over_set: number }} ArchiveResult */

/**
 * Makes the archive in a temporary folder, and reads it directly, then from the resulting cache: into memory, and mapped.
 * @returns {Promise<Record<string, ArchiveResult>>}
 */
export async function measureArchive() {
  const root = await mkdtemp(join(tmpdir(), 'dyconv-bench-'));
  try {
    const file = join(root, 'cifar-10-python.tar.gz');
    await writeCifar10(file);
    const megabytes = Math.round((await stat(file)).size / 1e6);
    const read = (/** @type {string[]} */ ...cache) =>
      JSON.parse(
        execFileSync(process.execPath, [fileURLToPath(import.meta.url), root, ...cache], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        }),
      );
    return {
      [`first time, ${megabytes} MB`]: read(),
      'from the cache': read(),
      'from the cache, mapped': read('mmap'),
    };
  } finally {
    await rm(root, { recursive: true });
  }
}

/**
 * The child's side: the training set and its first batch.
 * @param {string} root
 * @param {true | 'mmap'} cache
 */
async function readArchive(root, cache) {
  const before = memoryOfProcess();
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const cached = await stat(join(root, 'cifar-10-python.tar.gz.labels-train.cache')).catch(() => undefined);
  // The published archive is compared with its checksum first; for this one the same work is done, but not compared.
  if (!cached) await hashFile(join(root, 'cifar-10-python.tar.gz'), 'md5');
  const set = await data.cifar10({ root, split: 'train', verify: false, cache });
  const loader = data.loader(set, { batchSize: 128, shuffle: true, transform: data.transforms.train() });
  let seconds = 0;
  for await (const { images, labels } of loader) {
    // Here: leaving the loop waits for the batches that are being made ahead.
    seconds = (performance.now() - start) / 1000;
    images.dispose();
    labels.dispose();
    break;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  /** @type {ArchiveResult} */
  const result = {
    seconds,
    cpu_seconds: (user + system) / 1e6,
    peak_extra_over_set: ((memoryOfProcess().peak - before.resident) * 1024) / set.images.length,
  };
  console.log(JSON.stringify(result));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await readArchive(process.argv[2] ?? '', process.argv[3] === 'mmap' ? 'mmap' : true);
}
