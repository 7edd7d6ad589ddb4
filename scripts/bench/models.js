/**
 * Layers and whole models beside each other: the static convolution, every algorithm of the dynamic one, PyTorch.
 * @module
 */
import { getNumThreads } from '../../dist/index.js';
import { resolveDevice } from '../cli/config.js';
import { layers, networks } from './contestants.js';
import { MALLOC_KEEP, pytorchContestants } from './pytorch.js';
import { machine, peakMemoryOf, print, printPeakMemory, takeTurns } from './turns.js';

/**
 * Times contestants and, each in a process of its own, their peak memory.
 * @param {any} options @param {Record<string, () => import('./turns.js').Contestant>} makers
 * @param {Record<string, import('./turns.js').Contestant>} [others]
 */
async function compare(options, makers, others = {}) {
  /** @type {Record<string, string>} */
  const skipped = {};
  /** @type {Record<string, import('./turns.js').Contestant>} */
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

/** One convolution. @param {any} options - Those of `bench.js layer`. */
export async function measureLayers(options) {
  const settings = { ...options, device: resolveDevice(options.device) };
  const makers = layers(settings);
  if (options.peakOf) return printPeakMemory(makers[options.peakOf]());
  const { batch, in: cin, out, size, kernel, stride, groups, experts, dtype } = options;
  const about = { what: 'layer', batch, in: cin, out, size, kernel, stride, groups, experts, dtype };
  print(options, { ...about, machine: machine(settings.device), ...(await compare(options, makers)) });
}

/** Whole models on 128x128 images. @param {any} options - Those of `bench.js model`. */
export async function measureModels(options) {
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
}
