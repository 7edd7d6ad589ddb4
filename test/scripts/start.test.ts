/** Scripts in an incomplete clone: one line says what to run. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './support.js';

/** Modules without a command line, and scripts that need no packages. */
const NO_PACKAGES = ['check-layout.js', 'dist.js', 'layout.js', 'typedoc-options.js'];
/** Scripts that compile lib/ themselves, or need no dist/. */
const NO_DIST = [
  ...['build.js', 'doctor.js', 'install.js', 'libtorch.js', 'pack.js', 'prebuild.js', 'dyconv.js'],
  ...['format-cpp.js', 'fuzz-kernels.js', 'kernel-loops.js', 'test-package.js'],
];

const all = readdirSync(join(root, 'scripts')).filter(
  (name) => name.endsWith('.js') && !NO_PACKAGES.includes(name),
);
let clone: string;

function run(name: string, ...words: string[]) {
  const script = join(clone, 'scripts', name);
  return spawnSync(process.execPath, [script, ...words], { encoding: 'utf8' });
}

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'dyconv-clone-'));
  cpSync(join(root, 'scripts'), join(clone, 'scripts'), { recursive: true });
  cpSync(join(root, 'package.json'), join(clone, 'package.json'));
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

describe('a script in a clone without packages', () => {
  it.each(all)('%s says to run npm install', (name) => {
    const { status, stdout, stderr } = run(name, '--help');
    expect(stderr).toBe(`dyconv: the packages are not installed. Run \`npm install\` in ${clone}/\n`);
    expect([status, stdout]).toEqual([1, '']);
  });
});

describe('a script in a clone without dist/', () => {
  beforeAll(() => symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction'));

  it.each([...all.filter((name) => !NO_DIST.includes(name)), 'dyconv.js train', 'dyconv.js completion bash'])(
    '%s says to run npm run build',
    (line) => {
      const { status, stdout, stderr } = run(...(line.split(' ') as [string]));
      expect(stderr).toBe(
        `dyconv: dist/ is missing. Run \`npm run build\` in ${clone}/, which compiles lib/ and the add-on\n`,
      );
      expect([status, stdout]).toEqual([1, '']);
    },
  );

  it('dyconv.js lists the commands', () => {
    const { status, stdout } = run('dyconv.js', '--help');
    expect([status, stdout]).toEqual([0, expect.stringContaining('train a model into a run directory')]);
  });
});
