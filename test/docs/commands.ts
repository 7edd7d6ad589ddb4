/**
 * The commands of the documentation that are not run as they are printed, each with its reason. commands.test.ts runs all
 * others.
 * @module
 */
import { spawnSync } from 'node:child_process';

const HOURS = 'downloads a data set and trains for hours: a few of the bundled images instead';
const MINUTES = 'takes minutes: a few images';
const MACHINE = 'changes the machine: apt-get only simulates';
const PICTURES = 'needs images of the reader: generated ones, and fewer epochs';
const MEASURES = 'takes minutes: fewer and smaller turns';

/** Whether this machine can run the comparison with PyTorch. */
const hasTorch = spawnSync('python3', ['-c', 'import torch']).status === 0;
const noTorch = hasTorch ? '' : '; no PyTorch in python3 here, so without it';
const withTorch = (line: string) => (hasTorch ? line : line.replace(' --pytorch python3', ''));

const few = (line: string) =>
  line
    .replace(/--dataset (cifar10|fashion-mnist)/, '--dataset bundled')
    .replace(/ --data-dir \S+| --epochs \d+/g, '') +
  ' --epochs 1 --limit-train 32 --limit-test 16 --batch-size 16';

const apt = (line: string) => line.replace(/^sudo apt-get install/, 'apt-get install --simulate');

const bench = (line: string) =>
  `${withTorch(line).replace(/ --turns \d+| --steps \d+/g, '')} --turns 1${
    { data: ' --images 256 --no-archive', model: ' --batch 4 --no-memory', train: ' --batch 4 --steps 1' }[
      /bench\.js (\w+)/.exec(line)![1]!
    ] ?? ' --batch 2 --budget 1'
  }`;

/**
 * A fast form of a command: a pattern for the line, the reason why it is not run as printed, and the command
 * that is run.
 */
export const QUICK: [RegExp, string, (line: string) => string][] = [
  [/^npx dyconv launch .*--dataset cifar10 /, HOURS, few],
  [/^sudo apt-get install /, MACHINE, apt],
  [/^node scripts\/train\.js .*--dataset cifar10 /, HOURS, few],
  [/^node scripts\/train\.js .*--dataset fashion-mnist /, MINUTES, few],
  [
    /^node scripts\/train\.js --dataset folder .*--init https/,
    'downloads weights, and takes minutes: without them, with small generated images',
    (line) =>
      `${line.replace(/ --init \S+| --epochs \d+| --batch-size \d+/g, '')} --epochs 1 --batch-size 4 --image-size 64`,
  ],
  [
    /^node scripts\/train\.js --dataset folder .*--out runs\/pictures$/,
    PICTURES,
    (line) => `${line.replace(/ --epochs \d+/, '')} --epochs 1 --batch-size 4`,
  ],
  [
    /^node scripts\/reproduce\.js /,
    HOURS,
    (line) =>
      `${line.replace(/ --data-dir \S+/, '')} --dataset bundled --seeds 1 --epochs 1 --limit-train 64 --limit-test 32 --batch-size 32`,
  ],
  [/^node scripts\/bench\.js (?:model|data) /, `${MEASURES}${noTorch}`, bench],
  [/^node scripts\/bench\.js (?:layer|train) /, MEASURES, bench],
  [
    /^node scripts\/bench\.js threads /,
    MEASURES,
    (line) => `${line.replace(/ 10000 30000 100000| --turns \d+/g, '')} --turns 1 --seconds 0.05`,
  ],
  [
    /^node scripts\/bench\.js serve/,
    MEASURES,
    (line) => `${line} --seconds 1 --turns 1 --clients 4 --model alexnet`,
  ],
  [
    /^node scripts\/bench\.js program /,
    `${MEASURES}, without onnxruntime-node`,
    (line) => `${line.replace(/ --(?:turns|onnxruntime) \S+/g, '')} --turns 1 --models alexnet --batches 1`,
  ],
  [
    /^node scripts\/bench\.js distributed/,
    `${MEASURES}${noTorch}`,
    (line) =>
      `${withTorch(line)} --models resnet10 --image-size 32 --batch 2 --steps 1 --turns 1 --elements 1000`,
  ],
  [
    /^node scripts\/bench\.js network$/,
    'needs Linux and root, and takes minutes: its options',
    (line) => `${line} --help`,
  ],
  [/^node scripts\/bench\.js overhead .*--pytorch python3$/, `as printed${noTorch}`, withTorch],
];

/** Commands that another test runs: its file, and the text in it that proves this. */
export const ELSEWHERE: Record<string, [file: string, text: string]> = {
  'npm install': ['scripts/test-package/clone.js', 'firstBlock()'],
  'npm run demo': ['scripts/test-package/clone.js', 'firstBlock()'],
  'npm install dyconv': ['scripts/test-package/managers.js', "shell('npm install dyconv'"],
  'npm install ../dyconv/build/packages/dyconv-*.tgz': [
    'scripts/test-package.js',
    "npm(installed, 'install', prebuilt, main)",
  ],
  'npm install-scripts approve dyconv && npm rebuild dyconv': [
    'scripts/test-package/managers.js',
    "guideLine('npm install-scripts approve')",
  ],
  'pnpm approve-builds dyconv': ['scripts/test-package/managers.js', "guideLine('pnpm approve-builds')"],
  'npx dyconv setup --from-source': ['scripts/test-package.js', "'dyconv', 'setup', '--from-source'"],
  'npx node-gyp rebuild': ['scripts/test-package/clone.js', "'npx node-gyp rebuild'"],
  'npm run build:native': ['scripts/test-package/clone.js', "'npm run build:native'"],
  'npm run pack:all': ['scripts/test-package/clone.js', "'npm run pack:all'"],
  'LIBTORCH=/opt/libtorch npm run build': ['scripts/test-package/clone.js', "shell('npm run build'"],
  'npm run docs': ['test/docs/reference.test.ts', "'run', 'docs'"],
  'npx dyconv launch --nproc 2 my-training.js': [
    'test/distributed/launch.test.ts',
    "launch('--nproc', '2', script)",
  ],
  'node scripts/bench.js serve --soak 15': ['test/scripts/serve-soak.test.ts', "'serve', '--soak', '0.2'"],
  'npm ci': ['.ci/run', 'npm ci --foreground-scripts'],
  'npm test': ['.ci/run', 'npm test --'],
  'npm run test:package -- --node <other executables>': [
    '.github/workflows/ci.yml',
    'npm run test:package -- --node ',
  ],
  'npm run test:package -- --only containers': ['scripts/test-package.js', "if (wanted('containers'))"],
  'npm run test:package -- --only runtimes': ['scripts/test-package.js', "if (wanted('runtimes'))"],
  'CCACHE_DISABLE=1 npm run build': ['package.json', 'npm run build && vitest run'],
};

const NAME = 'mentions a command in a sentence: its full lines are run';
const OTHER = 'is for another system';

/** Never run. */
export const NOT_RUN: Record<string, string> = {
  'node scripts/train.js': NAME,
  'npx dyconv train': NAME,
  'npx dyconv reproduce': NAME,
  'npx dyconv launch --nnodes 2 --node-rank 0 --master-addr 10.0.0.1 --nproc 4 my-training.js':
    'needs a second machine; test/distributed/launch.test.ts starts two groups of processes on this one',
  'pnpm approve-builds': NAME,
  'npm install --offline': 'test/install/acquire.test.ts gives what npm sets for it',
  'sudo dnf install gcc-c++': OTHER,
  'sudo dnf install cmake': OTHER,
  'python3 -m pip download --no-deps --only-binary=:all: --python-version 3.11 torch==2.13.0+cpu':
    'downloads 192 MB; test/install tries pip with a small wheel',
  'LIBTORCH=$PWD/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl npx dyconv setup':
    'needs the wheel of the line before; test/install/acquire.test.ts unpacks a small one',
};
