/**
 * `bench`: measures the performance of this machine.
 * @module
 */
import {
  COMMON,
  DATA,
  DATA_SOAK,
  DISTRIBUTED,
  LAYER,
  MEMORY_LOOPS,
  MODEL,
  NETWORK,
  ONNX,
  PICTURES,
  PROGRAM,
  PYTHON,
  SERVE,
  THREADS,
  TRAIN,
} from '../bench/options.js';
import { defineCommand, defineGroup, wordsOf } from '../cli/command.js';

/** @import { CommandSpec, Invocation } from '../cli/command.js' */
/** @import { OptionsOf, OptionTable } from '../cli/types.js' */

/**
 * @template {OptionTable & Pick<typeof COMMON, 'json'>} T
 * @param {string} name
 * @param {string} description
 * @param {T} options
 * @param {(options: OptionsOf<T>, invocation: Invocation<T>) => Promise<number | void>} measure - Returns the exit code; default 0.
 */
function benchmark(name, description, options, measure) {
  return defineCommand({
    name,
    description,
    options,
    async run(values, invocation) {
      const { threads } = /** @type {Partial<OptionsOf<typeof COMMON>>} */ (values);
      if (threads) {
        const { setNumThreads } = await import('../../dist/index.js');
        setNumThreads(threads);
      }
      return measure(values, invocation);
    },
  });
}

/** The command line of a benchmark, for processes that measure a part of it. @param {string} name @param {Invocation<OptionTable>['command']} command */
const again = (name, command) => [name, ...wordsOf(command).filter((word) => word !== '--json')];

const BENCHMARKS = [
  benchmark(
    'layer',
    'one convolution: static, and dynamic by every algorithm',
    LAYER,
    async (options, { command }) => {
      const { measureLayers } = await import('../bench/models.js');
      await measureLayers(options, again('layer', command));
    },
  ),
  benchmark(
    'model',
    'whole models, compared with PyTorch if a Python with it is given',
    MODEL,
    async (options, { command }) => {
      const { measureModels } = await import('../bench/models.js');
      await measureModels(options, again('model', command));
    },
  ),
  benchmark(
    'program',
    'inference of whole models: as they are, compiled, and by onnxruntime-node if a folder with it is given',
    PROGRAM,
    async (options) => {
      const { measurePrograms } = await import('../bench/program.js');
      await measurePrograms(options);
    },
  ),
  benchmark(
    'onnx',
    'exported models: size of the file, time of the export, inference by onnxruntime-node',
    ONNX,
    async (options) => {
      const { measureOnnx } = await import('../bench/onnx.js');
      await measureOnnx(options);
    },
  ),
  benchmark(
    'data',
    'the input pipeline: images/s into 128x128 batches, archive to first batch',
    DATA,
    async (options) => {
      const { measureData } = await import('../bench/data.js');
      await measureData(options);
    },
  ),
  benchmark(
    'pictures',
    'training from JPEGs beyond memory: share of the time waiting for data, peak memory, decoding compared with sharp',
    PICTURES,
    async (options) => {
      const { measurePictures } = await import('../bench/pictures.js');
      await measurePictures(options);
    },
  ),
  benchmark(
    'data-soak',
    'many epochs of the input pipeline: fails if memory grows',
    DATA_SOAK,
    async (options) => {
      const { soakData } = await import('../bench/data-soak.js');
      await soakData(options);
    },
  ),
  benchmark(
    'overhead',
    'the cost of a call from JavaScript',
    { ...COMMON, pytorch: PYTHON },
    async (options) => {
      const { measureOverhead } = await import('../bench/overhead.js');
      await measureOverhead(options);
    },
  ),
  benchmark('memory', 'resident memory over loops that dispose nothing', MEMORY_LOOPS, async (options) => {
    const { measureMemory } = await import('../bench/memory.js');
    await measureMemory(options);
  }),
  benchmark(
    'train',
    "the overhead of a training step and of checkpoints: what is not the network's computation",
    TRAIN,
    async (options) => {
      const { measureTraining } = await import('../bench/train.js');
      await measureTraining(options);
    },
  ),
  benchmark(
    'threads',
    'the waiting policy of threads, on a quiet machine and with busy processes',
    THREADS,
    async (options) => {
      const { measureThreads } = await import('../bench/threads.js');
      await measureThreads(options);
    },
  ),
  benchmark(
    'serve',
    'a pool: event-loop delay under load over HTTP, cost for one request, throughput; with --soak, injected faults',
    SERVE,
    async (options) => {
      if (options.soak !== undefined) {
        const { soakService } = await import('../bench/serve/soak.js');
        return soakService(options);
      }
      const { measureFigures } = await import('../bench/serve/figures.js');
      await measureFigures(options);
    },
  ),
  benchmark(
    'distributed',
    'training in two processes against one, the all-reduce, and how much of it the backward pass hides',
    DISTRIBUTED,
    async (options) => {
      if (options.cost) {
        const { measureCost } = await import('../bench/distributed/cost.js');
        return measureCost(options);
      }
      const { measureDistributed } = await import('../bench/distributed/index.js');
      await measureDistributed(options);
    },
  ),
  benchmark(
    'network',
    'training on several hosts, which are network namespaces: a model fitted to it, and what it predicts (Linux, root)',
    NETWORK,
    async (options) => {
      const { measureNetwork } = await import('../bench/distributed/network.js');
      await measureNetwork(options);
    },
  ),
];

export const command = defineGroup({
  name: 'bench',
  description: 'Runs the benchmarks of dyconv. Results are medians; the candidates are measured alternately.',
  examples: [
    'layer --batch 128 --in 192 --out 192 --size 7 --experts 2',
    'model --models alexnet,alexnet-dy --batch 128 --pytorch python3',
    'data --pytorch python3',
    'pictures --images 10000',
    'overhead --pytorch python3',
    'memory --json',
    'train --model alexnet-dy --batch 128',
    'serve --clients 32',
    'serve --soak 15',
    'distributed --pytorch python3',
  ],
  commands: BENCHMARKS,
});
