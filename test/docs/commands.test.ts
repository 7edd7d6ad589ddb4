/**
 * The shell commands that the README and the guides print are run as they are printed, in an empty folder with the
 * package's scripts and nothing else. Those that are not are listed here, each with the reason.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandLines, guides, root } from './pages.js';

const INSTALLS = 'changes the machine: CI files do it';
const ITSELF = 'is what runs this test';
const NETWORK = 'downloads a data set, and trains for hours';
const MINUTES = 'takes minutes; test/scripts runs the command with fewer images';
const OWN = 'needs a libtorch, or pictures, that only the reader has';

const NOT_RUN: Record<string, string> = {
  'sudo apt-get install g++ cmake ninja-build python3 python3-pip': INSTALLS,
  'npm install': INSTALLS,
  'npm install dyconv': INSTALLS,
  'npm test': ITSELF,
  'npm run demo': MINUTES,
  'node scripts/train.js --model alexnet --dataset cifar10 --data-dir data --out runs/static': NETWORK,
  'node scripts/train.js --model alexnet-dy --dataset cifar10 --data-dir data --out runs/dy': NETWORK,
  'node scripts/train.js --model alexnet-dy --dataset cifar10 --data-dir data --seed 1 --out runs/dy-1':
    NETWORK,
  'node scripts/train.js --model alexnet-dy --dataset cifar10 --data-dir data --seed 2 --out runs/dy-2':
    NETWORK,
  'node scripts/train.js --model alexnet --dataset fashion-mnist --epochs 3 --batch-size 128 --lr 0.05 --temperature-epochs 2 --out runs/fashion-static':
    MINUTES,
  'node scripts/train.js --model alexnet-dy --dataset fashion-mnist --epochs 3 --batch-size 128 --lr 0.05 --temperature-epochs 2 --out runs/fashion-dy':
    MINUTES,
  'node scripts/train.js --dataset folder --data-dir pictures --batch-size 64 --out runs/pictures': OWN,
  'node scripts/train.js --out runs/pictures --resume': OWN,
  'node scripts/train.js --dataset folder --data-dir pictures --model alexnet-dy --batch-size 32 --epochs 20 --out runs/pictures':
    OWN,
  'LIBTORCH=/opt/libtorch npm run build': OWN,
  'python3 -m pip download --no-deps --only-binary=:all: --python-version 3.11 torch==2.13.0+cpu':
    'downloads 192 MB; test/install tries pip with a small wheel',
  'LIBTORCH=$PWD/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl npx dyconv setup': OWN,
};

const lines = [...new Set(['README.md', ...guides].flatMap(commandLines))];
const TRAIN = lines.find((line) => line.endsWith('--out runs/try'))!;
const work = mkdtempSync(join(tmpdir(), 'dyconv-commands-'));

function sh(line: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { cwd: work, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

beforeAll(async () => {
  symlinkSync(join(root, 'scripts'), join(work, 'scripts'), 'junction');
  cpSync(join(root, 'package.json'), join(work, 'package.json'));
  mkdirSync(join(work, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(join(root, 'scripts', 'dyconv.js'), join(work, 'node_modules', '.bin', 'dyconv'));
  const background = { r: 200, g: 30, b: 30 };
  await sharp({ create: { width: 50, height: 40, channels: 3, background } })
    .jpeg()
    .toFile(join(work, 'photo.jpg'));
  // The shortest training that is printed stands for the runs that the other commands read.
  expect(sh(TRAIN)).toMatchObject({ status: 0 });
  for (const name of ['static', 'dy', 'dy-1', 'dy-2', 'fashion-static', 'fashion-dy', 'pictures']) {
    cpSync(join(work, 'runs', 'try'), join(work, 'runs', name), { recursive: true });
  }
}, 120_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

it('everything printed is run, or known not to be', () => {
  expect(Object.keys(NOT_RUN).filter((line) => !lines.includes(line))).toEqual([]);
  expect(different.length).toBeGreaterThanOrEqual(5);
});

/** The same command with another run is not run twice. */
const shape = (line: string) => line.replace(/runs\/[\w-]+/g, 'runs/x').replace(/\w+\.html/, 'x.html');
const run = lines.filter((line) => !(line in NOT_RUN) && line !== TRAIN);
const different = run.filter(
  (line, index) => run.findIndex((other) => shape(other) === shape(line)) === index,
);

it.each(different)('%s', { timeout: 120_000 }, (line) => {
  const { status, output } = sh(line);
  expect(status, output).toBe(0);
  const out = /--out (\S+\.html)/.exec(line)?.[1];
  if (out) expect(readFileSync(join(work, out), 'utf8')).toContain('<html');
  expect(existsSync(join(work, 'runs', 'try', 'report.html'))).toBe(true);
});
