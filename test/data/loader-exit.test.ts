import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { beforeAll, expect, test } from 'vitest';

// Processes and workers that end while batches are being made. They run the built package, as they cannot
// import TypeScript.
const dist = new URL('../../dist/', import.meta.url).href;
const program = (ending: string) => `
  import { bundled } from '${dist}data/mnist.js';
  import { loader } from '${dist}data/loader.js';
  import { train } from '${dist}data/transforms.js';
  const set = await bundled({ split: 'test' });
  const source = loader(set, { batchSize: 100, transform: train(), prefetch: 4 });
  ${ending}
`;

const endings: [string, string][] = [
  ['runs to its end with an epoch left half-way', 'await source[Symbol.asyncIterator]().next();'],
  ['exits in the middle', 'await source[Symbol.asyncIterator]().next(); process.exit(0);'],
  ['exits before the first batch is there', 'source[Symbol.asyncIterator]().next(); process.exit(0);'],
];

beforeAll(async () => {
  await import(`${dist}data/loader.js`);
});

for (const [name, ending] of endings) {
  test(`a process that ${name} ends well`, async () => {
    const { stderr } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program(ending),
    ]);
    expect(stderr).toBe('');
  });

  test(`a worker that ${name} ends well`, async () => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program(ending))}`));
    const [code] = (await once(worker, 'exit')) as [number];
    expect(code).toBe(0);
  });
}

test('a terminated worker does not affect the process', async () => {
  const forever =
    'for (;;) for await (const { images, labels } of source) { images.dispose(); labels.dispose(); }';
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program(forever))}`));
    await once(worker, 'online');
    await new Promise((resolve) => setTimeout(resolve, 300 + 70 * round));
    expect(await worker.terminate()).toBe(1);
  }
});
