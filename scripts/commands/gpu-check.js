/**
 * `gpu-check`: tests and measures dyconv on an NVIDIA GPU within a given time.
 * @module
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineCommand } from '../cli/command.js';
import { interruptible } from '../cli/interrupt.js';
import { printable } from '../cli/printable.js';
import { namesOf, number, path } from '../cli/value-types.js';
import { PART_NAMES, PARTS } from '../gpu-check/parts.js';

/** @import { OptionsOf, OptionTable } from '../cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  minutes: {
    value: 'n',
    type: number({ above: 0 }),
    default: 10,
    help: 'time limit, including the build',
  },
  out: { value: 'folder', type: path, default: 'runs/gpu-check', help: 'folder of the results' },
  parts: {
    value: 'names',
    type: namesOf(PART_NAMES),
    default: PART_NAMES,
    shownDefault: 'all',
    help: `parts, separated by commas: ${PART_NAMES.join(', ')}`,
  },
  dataDir: {
    value: 'folder',
    type: path,
    default: 'data',
    help: 'folder with cifar-10-python.tar.gz, cifar-10-binary.tar.gz or cifar10-jpeg.tar.gz',
  },
  pytorch: {
    value: 'python',
    type: path,
    default: process.env.PYTHON || 'python3',
    shownDefault: '$PYTHON, or python3',
    help: 'a Python with torch, to compare with; its libtorch is used unless LIBTORCH or DYCONV_CUDA is set',
  },
  dryRun: {
    flag: 'plain',
    help: 'write the plan and the commands to plan.md and plan.json, and run nothing; without a GPU, an H200 is assumed',
  },
  bundle: {
    value: 'folder',
    type: path,
    help: 'instead of running the check, write a bundle to this folder that runs it on a machine without network',
  },
  bundleImages: {
    value: 'file',
    type: path,
    help: 'archive of images for the bundle: cifar10-jpeg.tar.gz with train/<class>/ and test/<class>/',
  },
});

/** @typedef {OptionsOf<typeof OPTIONS>} GpuCheckOptions */

const root = fileURLToPath(new URL('../..', import.meta.url));

export const command = defineCommand({
  name: 'gpu-check',
  description:
    'Builds dyconv for the NVIDIA GPU of this machine, tests it, compares it with PyTorch and trains, within the time limit. Run the same command again to continue with the remaining parts.',
  examples: [
    '--minutes 10 --out runs/gpu-check',
    '--minutes 3 --parts build,suite,kernels',
    '--dry-run',
    '--bundle build/gpu-bundle --bundle-images cifar10-jpeg.tar.gz',
  ],
  options: OPTIONS,
  notes: `Every result is written when its part ends: summary.md, results.json, logs/. Exit code 1 if a part failed, or if this machine
cannot be used: no GPU, an old driver, too little memory, or a CUDA version that does not fit.`,
  async run(options) {
    const { bundle, bundleImages } = options;
    if (bundle !== undefined) {
      const { writeBundle } = await import('../gpu-check/bundle.js');
      const { file, bytes, entries } = await writeBundle({
        root,
        out: resolve(bundle),
        images: bundleImages,
      });
      console.log(`${file}: ${entries} files; the bundle has ${(bytes / 2 ** 20).toFixed(1)} MiB`);
      return 0;
    }
    const { ArgumentError } = await import('../../dist/errors.js');
    if (bundleImages !== undefined) throw new ArgumentError('Expected --bundle with --bundle-images');
    return check(options);
  },
});

/** @param {GpuCheckOptions} options */
async function check({ minutes, out, parts: names, dataDir, pytorch, dryRun }) {
  const { lookAtMachine } = await import('../gpu-check/machine.js');
  const { runParts } = await import('../gpu-check/run.js');
  const machine = lookAtMachine({ python: pytorch, dryRun });
  const interrupt = interruptible({ message: 'Stopping. Run the same command again to continue.' });
  const results = await runParts({
    ...{ machine, minutes, dryRun, root, out: resolve(out), dataDir: resolve(dataDir) },
    parts: PARTS.filter(({ name }) => names.includes(name)).map((part) => ({
      ...part,
      // What is left out is taken to be done: --parts suite uses the add-on that is there.
      needs: part.needs.filter((need) => names.includes(need)),
    })),
    signal: interrupt.signal,
    say: (line) => console.log(printable(line)),
  });
  console.log(`\nResults: ${printable(resolve(out, dryRun ? 'plan.md' : 'summary.md'))}`);
  if (interrupt.signal.aborted) return interrupt.exitCode();
  interrupt.release();
  return Object.values(results.parts).some(({ status }) => status === 'failed') ? 1 : 0;
}
