/**
 * `setup`, what `npm install` runs: TypeScript (in a clone), libtorch, the add-on. A second run does next to nothing.
 * @module
 */
import { defineCommand, nameOfOther } from '../cli/command.js';
import { positiveInteger } from '../cli/value-types.js';
import { ensureDist } from '../dist.js';

/** @import { OptionTable } from '../cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  fromSource: { flag: 'plain', help: 'build the add-on even if there is a prebuilt binary' },
  jobs: {
    value: 'n',
    type: positiveInteger,
    help: 'compilers to run at once (default: one per core, as far as memory allows)',
  },
});

export const command = defineCommand({
  name: 'setup',
  script: 'install.js',
  description:
    'Installs libtorch and the native add-on: the prebuilt binary if there is one, otherwise built from source.',
  options: OPTIONS,
  notes: (command) => `Environment:
  DYCONV_SKIP_BUILD=1         does nothing at all
  DYCONV_BUILD_FROM_SOURCE=1  the same as --from-source
  DYCONV_CUDA=cu130           builds for CUDA: docs/cuda.md
  LIBTORCH and others         see: ${nameOfOther(command, 'libtorch')} --help`,
  errorPrefix: 'dyconv',
  async run({ fromSource, jobs }) {
    if (process.env.DYCONV_SKIP_BUILD === '1') {
      console.error(
        'dyconv: DYCONV_SKIP_BUILD is set, so libtorch and the native add-on are left as they are.',
      );
      return;
    }
    ensureDist();
    const { setup } = await import('../../dist/install/setup.js');
    // Without the flag, the environment decides.
    await setup({ fromSource: fromSource || undefined, jobs });
  },
});
