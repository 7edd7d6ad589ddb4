#!/usr/bin/env node
/**
 * Measures dyconv: `node scripts/bench.js --help`.
 * @module
 */
import { Option } from 'commander';
import { createCommand, guarded, runCommand } from './cli/command.js';
import { positiveInteger } from './cli/options.js';

const program = createCommand(
  'node scripts/bench.js',
  'Measures dyconv. Figures are medians over interleaved turns in one run.',
  [
    'node scripts/bench.js layer --batch 128 --in 192 --out 192 --size 7 --experts 2',
    'node scripts/bench.js model --models alexnet,alexnet-dy --batch 128 --pytorch python3',
    'node scripts/bench.js data --pytorch python3',
    'node scripts/bench.js overhead --pytorch python3',
    'node scripts/bench.js memory --json',
    'node scripts/bench.js train --model alexnet-dy --batch 128',
  ],
);

/** @param {string} name @param {string} description @param {(options: any) => Promise<void>} main */
function benchmark(name, description, main) {
  const command = program
    .command(name)
    .description(description)
    .option('--json', 'print JSON', false)
    .option('--threads <n>', 'threads of libtorch (default: the physical cores)', positiveInteger);
  return command.action(
    guarded(command, async (options) => {
      if (options.threads) {
        const { setNumThreads } = await import('../dist/index.js');
        setNumThreads(options.threads);
      }
      await main(options);
    }),
  );
}

const turns = () => new Option('--turns <n>', 'measured turns of each').argParser(positiveInteger).default(5);
const device = () =>
  new Option('--device <device>', 'where to run').choices(['auto', 'cpu', 'cuda']).default('cpu');
const peakOf = () => new Option('--peak-of <name>', 'print the peak memory of one contestant').hideHelp();
const python = () => new Option('--pytorch <python>', 'a Python with torch, to take turns with');

benchmark('layer', 'one convolution: static, and dynamic by every algorithm', async (options) => {
  const { measureLayers } = await import('./bench/models.js');
  await measureLayers(options);
})
  .option('--batch <n>', 'samples', positiveInteger, 128)
  .option('--in <n>', 'input channels', positiveInteger, 192)
  .option('--out <n>', 'output channels', positiveInteger, 192)
  .option('--size <n>', 'height and width of the input', positiveInteger, 7)
  .option('--kernel <n>', 'height and width of the kernel', positiveInteger, 3)
  .option('--stride <n>', 'stride', positiveInteger, 1)
  .option('--groups <n>', 'groups', positiveInteger, 1)
  .option('--experts <n>', 'kernels of the dynamic layer', positiveInteger, 2)
  .addOption(
    new Option('--dtype <dtype>', 'element type')
      .choices(['float32', 'float64', 'bfloat16'])
      .default('float32'),
  )
  .option('--no-memory', 'leave out peak memory, which takes a process each')
  .option('--budget <seconds>', 'time after which a slow algorithm takes no more turns', positiveInteger, 20)
  .addOption(device())
  .addOption(turns())
  .addOption(peakOf());

benchmark(
  'model',
  'whole models on 128x128 images, beside PyTorch if a Python with it is given',
  async (options) => {
    const { measureModels } = await import('./bench/models.js');
    await measureModels(options);
  },
)
  .option('--models <names>', 'models, separated by commas', 'alexnet,alexnet-dy')
  .option('--batch <n>', 'samples', positiveInteger, 128)
  .option('--dtypes <names>', 'element types, separated by commas: float32, bfloat16', 'float32')
  .option('--experts <n>', 'kernels of dynamic layers', positiveInteger, 2)
  .option('--no-memory', 'leave out peak memory, which takes a process each')
  .option(
    '--budget <seconds>',
    'time after which a slow contestant takes no more turns',
    positiveInteger,
    120,
  )
  .option('--pytorch-modes <modes>', 'static, grouped, mix-after', 'static,grouped,mix-after')
  .addOption(python())
  .addOption(device())
  .addOption(turns())
  .addOption(peakOf());

benchmark(
  'data',
  'the input pipeline: images/s into 128x128 batches, archive to first batch',
  async (options) => {
    const { measureData } = await import('./bench/data.js');
    await measureData(options);
  },
)
  .option('--batch <n>', 'images in a batch', positiveInteger, 128)
  .option('--images <n>', 'images a turn', positiveInteger, 6000)
  .option('--no-archive', 'leave out the archive, of which 170 MB are made first')
  .addOption(turns())
  .addOption(python());

benchmark(
  'data-soak',
  'many epochs of the input pipeline: fails unless memory stays flat',
  async (options) => {
    const { soakData } = await import('./bench/data-soak.js');
    await soakData(options);
  },
)
  .option('--epochs <n>', 'epochs of each loader', positiveInteger, 200)
  .option('--batch <n>', 'images in a batch', positiveInteger, 64)
  .option('--images <n>', 'images an epoch', positiveInteger, 1024);

benchmark('overhead', 'what a call from JavaScript costs', async (options) => {
  const { measureOverhead } = await import('./bench/overhead.js');
  await measureOverhead(options);
}).addOption(python());

benchmark('memory', 'resident memory over loops that dispose nothing', async (options) => {
  const { measureMemory } = await import('./bench/memory.js');
  await measureMemory(options);
}).option('--tensors <n>', 'tensors of 4 MB', positiveInteger, 10_000);

benchmark(
  'train',
  "what a training costs beside its arithmetic: the trainer's share, checkpoints",
  async (options) => {
    const { measureTraining } = await import('./bench/train.js');
    await measureTraining(options);
  },
)
  .option('--model <name>', 'network', 'alexnet-dy')
  .option('--batch <n>', 'images in a batch', positiveInteger, 128)
  .option('--steps <n>', 'measured steps', positiveInteger, 20)
  .addOption(turns());

benchmark('threads', 'the waiting policy of threads: quiet, and beside busy processes', async (options) => {
  const { measureThreads } = await import('./bench/threads.js');
  await measureThreads(options);
})
  .option('--model <name>', 'network', 'alexnet')
  .option('--busy <n>', 'busy processes', positiveInteger, 1)
  .option('--seconds <n>', 'seconds of each measurement', positiveInteger, 1)
  .option('--spin <counts...>', 'more values of GOMP_SPINCOUNT to compare')
  .addOption(turns());

// Without a benchmark, the list of them is what was asked for.
if (process.argv.length === 2) program.action(() => program.help());
await runCommand(program);
