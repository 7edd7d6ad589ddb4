/** What a program that only infers has in memory: packages for pictures, pages, downloads and builds are loaded where they are used. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { root } from './docs/pages.js';
import { temporaryFolder, writeTree } from './install/support.js';
import { limit } from './support/limit.js';

const library = pathToFileURL(join(root, 'dist', 'index.js')).href;

const INFERENCE = `
  const model = new nn.Sequential(new nn.Conv2d(3, 4, 3), new DynamicConv2d(4, 4, 3, { numExperts: 2 }), new nn.ReLU()).eval();
  const program = nn.compile(model, zeros([1, 3, 16, 16]));
  const output = await program.run(zeros([2, 3, 16, 16]));
  if (output.shape.join() !== '2,4,12,12') throw new Error(String(output.shape));`;

const PICTURE = `
  const { data } = library;
  const set = await data.bundled({ split: 'test' });
  await data.grid(set, { rows: 1 });`;

/** Names of packages in node_modules, and of shared objects, that a program has loaded at its end. */
function loadedBy(program: string) {
  const folder = writeTree(temporaryFolder(), {
    'hooks.mjs': `
      import { appendFileSync } from 'node:fs';
      export const load = (url, context, next) => {
        appendFileSync(new URL('loaded.txt', import.meta.url), url + '\\n');
        return next(url, context);
      };`,
    'register.mjs': `import { register } from 'node:module'; register('./hooks.mjs', import.meta.url);`,
    'program.mjs': `
      import { createRequire } from 'node:module';
      import * as library from ${JSON.stringify(library)};
      const { DynamicConv2d, nn, zeros } = library;
      ${program}
      const { sharedObjects } = process.report.getReport();
      const required = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify({ sharedObjects, required }));`,
    'loaded.txt': '',
  });
  const register = pathToFileURL(join(folder, 'register.mjs')).href;
  const args = ['--import', register, join(folder, 'program.mjs')];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { sharedObjects, required } = JSON.parse(stdout) as Record<string, string[]>;
  const files = [...readFileSync(join(folder, 'loaded.txt'), 'utf8').split('\n'), ...required!];
  const packages = files.flatMap(
    (file) => /.*node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1] ?? [],
  );
  return { packages: [...new Set(packages)].sort(), sharedObjects: sharedObjects! };
}

const PICTURES = /libvips|sharp/;

/** Small, and without libraries: zip files, checksums, schemas. */
const ALWAYS = [
  ...['@bufbuild/protobuf', 'crc-32', 'semver', 'valibot', 'yauzl', 'yazl'],
  ...['buffer-crc32', 'pend'], // of yauzl and yazl
];

it('inference loads neither sharp, echarts and cmake-js nor any other package than small ones', {
  timeout: limit(60_000),
}, () => {
  const { packages, sharedObjects } = loadedBy(INFERENCE);
  expect(packages).toEqual(ALWAYS.toSorted());
  expect(sharedObjects.filter((name) => PICTURES.test(name))).toEqual([]);
  expect(sharedObjects.filter((name) => /torch_cpu/.test(name))).toHaveLength(1);
});

it('a picture loads sharp: the test above would see it', { timeout: limit(60_000) }, () => {
  const { packages, sharedObjects } = loadedBy(`${INFERENCE}${PICTURE}`);
  expect(packages).toContain('sharp');
  expect(sharedObjects.filter((name) => PICTURES.test(name))).not.toEqual([]);
});
