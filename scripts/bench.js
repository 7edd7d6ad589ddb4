#!/usr/bin/env node
/**
 * Measures dyconv: `node scripts/bench.js --help`.
 * @module
 */
import { Command, Option } from 'commander';
import { getNumThreads, setNumThreads } from '../dist/index.js';
import { layers, networks } from './bench/contestants.js';
import { measureData } from './bench/data.js';
import { soakData } from './bench/data-soak.js';
import { measureMemory } from './bench/memory.js';
import { measureOverhead } from './bench/overhead.js';
import { MALLOC_KEEP, pytorchContestants } from './bench/pytorch.js';
import { measureTraining } from './bench/train.js';
import { machine, peakMemoryOf, print, printPeakMemory, takeTurns } from './bench/turns.js';
import { formatError } from './cli/command.js';
import { resolveDevice } from './cli/config.js';
import { positiveInteger } from './cli/options.js';

const program = new Command('node scripts/bench.js')
  .description('Measures dyconv. Figures are medians over interleaved turns in one run.')
  .showHelpAfterError('(node scripts/bench.js --help lists the benchmarks)')
  .addHelpText(
    'after',
    `
Examples:
  $ node scripts/bench.js layer --batch 128 --in 192 --out 192 --size 7 --experts 2
  $ node scripts/bench.js model --models alexnet,alexnet-dy --batch 128 --pytorch python3
  $ node scripts/bench.js data --pytorch python3
  $ node scripts/bench.js overhead --pytorch python3
  $ node scripts/bench.js memory --json
  $ node scripts/bench.js train --model alexnet-dy --batch 128
`,
  );

/** @param {string} name @param {string} description @param {(options: any) => Promise<void>} main */
function benchmark(name, description, main) {
  return program
    .command(name)
    .description(description)
    .option('--json', 'print JSON', false)
    .option('--threads <n>', 'threads of libtorch (default: the physical cores)', positiveInteger)
    .action(async (options) => {
      try {
        if (options.threads) setNumThreads(options.threads);
        await main(options);
      } catch (error) {
        console.error(formatError(error));
        process.exitCode = 1;
      }
    });
}

const turns = () => new Option('--turns <n>', 'measured turns of each').argParser(positiveInteger).default(5);
const device = () =>
  new Option('--device <device>', 'where to run').choices(['auto', 'cpu', 'cuda']).default('cpu');
const peakOf = () => new Option('--peak-of <name>', 'print the peak memory of one contestant').hideHelp();
const python = () => new Option('--pytorch <python>', 'a Python with torch, to take turns with');

/**
 * Times contestants and, each in a process of its own, their peak memory.
 * @param {any} options @param {Record<string, () => import('./bench/turns.js').Contestant>} makers
 * @param {Record<string, import('./bench/turns.js').Contestant>} [others]
 */
async function compare(options, makers, others = {}) {
  /** @type {Record<string, string>} */
  const skipped = {};
  /** @type {Record<string, import('./bench/turns.js').Contestant>} */
  const contestants = {};
  for (const [name, make] of Object.entries(makers)) {
    try {
      contestants[name] = make();
    } catch (error) {
      // An algorithm that does not apply to the shape says so; anything else ends the run.
      if (name === 'static' || name === 'auto') throw error;
      skipped[name] = /** @type {Error} */ (error).message;
    }
  }
  const results = await takeTurns({ ...contestants, ...others }, options);
  for (const other of Object.values(others)) other.release?.();
  if (options.memory) {
    for (const name of Object.keys(contestants)) {
      results[name].peak_rss_mb = peakMemoryOf(
        process.argv.slice(2).filter((arg) => arg !== '--json'),
        name,
      );
    }
  }
  return { results, ...(Object.keys(skipped).length > 0 && { skipped }) };
}

benchmark('layer', 'one convolution: static, and dynamic by every algorithm', async (options) => {
  const settings = { ...options, device: resolveDevice(options.device) };
  const makers = layers(settings);
  if (options.peakOf) return printPeakMemory(makers[options.peakOf]());
  const { batch, in: cin, out, size, kernel, stride, groups, experts, dtype } = options;
  const about = { what: 'layer', batch, in: cin, out, size, kernel, stride, groups, experts, dtype };
  print(options, { ...about, machine: machine(settings.device), ...(await compare(options, makers)) });
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
    const names = options.models.split(',');
    const settings = {
      ...options,
      models: names,
      dtypes: options.dtypes.split(','),
      device: resolveDevice(options.device),
    };
    const makers = networks(settings);
    if (options.peakOf) return printPeakMemory(makers[options.peakOf]());
    const args = [
      '--batch',
      String(options.batch),
      '--experts',
      String(options.experts),
      '--threads',
      String(getNumThreads()),
      '--device',
      settings.device,
    ];
    const shared = { python: options.pytorch, args };
    const others = options.pytorch
      ? {
          ...(await pytorchContestants({ ...shared, modes: options.pytorchModes.split(',') })),
          // How the C library keeps memory is of no matter to a GPU.
          ...(settings.device === 'cpu' &&
            (await pytorchContestants({
              ...shared,
              modes: ['static'],
              env: MALLOC_KEEP,
              label: 'pytorch-malloc',
            }))),
        }
      : {};
    const about = {
      what: 'model',
      batch: options.batch,
      experts: options.experts,
      machine: machine(settings.device),
    };
    print(options, { ...about, ...(await compare(options, makers, others)) }, options.batch);
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

benchmark('data', 'the input pipeline: images/s into 128x128 batches, archive to first batch', (options) =>
  measureData(options),
)
  .option('--batch <n>', 'images in a batch', positiveInteger, 128)
  .option('--images <n>', 'images a turn', positiveInteger, 6000)
  .option('--no-archive', 'leave out the archive, of which 170 MB are made first')
  .addOption(turns())
  .addOption(python());

benchmark('data-soak', 'many epochs of the input pipeline: fails unless memory stays flat', (options) =>
  soakData(options),
)
  .option('--epochs <n>', 'epochs of each loader', positiveInteger, 200)
  .option('--batch <n>', 'images in a batch', positiveInteger, 64)
  .option('--images <n>', 'images an epoch', positiveInteger, 1024);

benchmark('overhead', 'what a call from JavaScript costs', (options) => measureOverhead(options)).addOption(
  python(),
);

benchmark('memory', 'resident memory over loops that dispose nothing', (options) =>
  measureMemory(options),
).option('--tensors <n>', 'tensors of 4 MB', positiveInteger, 10_000);

benchmark(
  'train',
  "what a training costs beside its arithmetic: the trainer's share, checkpoints",
  (options) => measureTraining(options),
)
  .option('--model <name>', 'network', 'alexnet-dy')
  .option('--batch <n>', 'images in a batch', positiveInteger, 128)
  .option('--steps <n>', 'measured steps', positiveInteger, 20)
  .addOption(turns());

// Without a benchmark, the list of them is what was asked for.
if (process.argv.length === 2) program.help();
await program.parseAsync();
