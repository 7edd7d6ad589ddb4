/**
 * Compares layers and whole models: the static convolution, every algorithm of the dynamic one, PyTorch.
 * @module
 */
import { ArgumentError, getNumThreads } from '../../dist/index.js';
import { resolveDevice } from '../cli/config.js';
import { layers, networks } from './contestants.js';
import { MALLOC_KEEP, pytorchContestants } from './pytorch.js';
import { machine, peakMemoryOf, print, printPeakMemory, takeTurns } from './turns.js';

/** @import { LayerOptions, ModelOptions } from './options.js' */
/** @import { Contestant } from './turns.js' */

/**
 * Times contestants and measures the peak memory of each in a separate process.
 * @param {{ turns: number, budget: number, memory: boolean }} options
 * @param {string[]} words - The command line, for those processes.
 * @param {Record<string, () => Contestant>} makers
 * @param {Record<string, Contestant>} [others]
 */
async function compare(options, words, makers, others = {}) {
  /** @type {Record<string, string>} */
  const skipped = {};
  /** @type {Record<string, Contestant>} */
  const contestants = {};
  for (const [name, make] of Object.entries(makers)) {
    try {
      contestants[name] = make();
    } catch (error) {
      // An algorithm that does not apply to the shape says so; anything else ends the run.
      if (isRequired(name)) throw error;
      skipped[name] = /** @type {Error} */ (error).message;
    }
  }
  /** @type {Error | undefined} */
  let failure;
  /** @param {string} name @param {Error} error */
  const onFailure = (name, error) => {
    if (isRequired(name)) throw error;
    failure = error;
    skipped[name] = error.message;
  };
  const results = await takeTurns({ ...contestants, ...others }, { ...options, onFailure });
  if (failure && Object.keys(results).length === 0) throw failure;
  for (const other of Object.values(others)) other.release?.();
  if (options.memory) {
    for (const [name, result] of Object.entries(results)) {
      if (name in contestants) result.peak_rss_mb = peakMemoryOf(words, name);
    }
  }
  return { results, ...(Object.keys(skipped).length > 0 && { skipped }) };
}

/** The contestants that the others are compared with. @param {string} name */
const isRequired = (name) => ['static', 'auto', 'alexnet', 'alexnet-dy'].includes(name);

/** One convolution. @param {LayerOptions} options @param {string[]} words - The command line. */
export async function measureLayers(options, words) {
  const settings = { ...options, device: resolveDevice(options.device) };
  const makers = layers(settings);
  if (options.peakOf !== undefined) return printPeakMemory(contestant(makers, options.peakOf));
  const { batch, in: cin, out, size, kernel, stride, groups, experts, dtype } = options;
  const about = { what: 'layer', batch, in: cin, out, size, kernel, stride, groups, experts, dtype };
  print(options, { ...about, machine: machine(settings.device), ...(await compare(options, words, makers)) });
}

/** @param {Record<string, () => Contestant>} makers @param {string} name - A value of --peak-of. */
function contestant(makers, name) {
  const make = makers[name];
  if (make) return make();
  throw new ArgumentError(
    `Expected one of ${Object.keys(makers).join(', ')} for --peak-of but received ${name}`,
  );
}

/** Whole models. @param {ModelOptions} options @param {string[]} words - The command line. */
export async function measureModels(options, words) {
  const settings = { ...options, device: resolveDevice(options.device) };
  const makers = networks(settings);
  if (options.peakOf !== undefined) return printPeakMemory(contestant(makers, options.peakOf));
  const args = [
    '--batch',
    String(options.batch),
    '--image-size',
    String(options.imageSize),
    '--experts',
    String(options.experts),
    '--threads',
    String(getNumThreads()),
    '--device',
    settings.device,
  ];
  const python = options.pytorch;
  const others = python
    ? {
        ...(await pytorchContestants({ python, args, modes: options.pytorchModes })),
        // How the C library keeps memory is of no matter to a GPU.
        ...(settings.device === 'cpu' &&
          (await pytorchContestants({
            ...{ python, args },
            modes: options.pytorchModes.slice(0, 1),
            env: MALLOC_KEEP,
            label: 'pytorch-malloc',
          }))),
      }
    : {};
  const about = {
    what: 'model',
    batch: options.batch,
    image_size: options.imageSize,
    experts: options.experts,
    machine: machine(settings.device),
  };
  print(options, { ...about, ...(await compare(options, words, makers, others)) }, options.batch);
}
