#!/usr/bin/env node
/**
 * Prints the folder of a libtorch that the add-on can be built against; fetches it where there is none.
 * @module
 */
import { createCommand, runCommand } from './cli/command.js';
import { ensureDist } from './dist.js';

const HELP = `
Order: LIBTORCH, LIBTORCH_USE_PYTORCH, DYCONV_CUDA, the user's cache, the official wheel, the official archive, pip.

Environment:
  LIBTORCH                a folder with lib/ and include/ of libtorch 2.11 to 2.14, or a PyTorch wheel (.whl) or
                          libtorch archive (.zip) of these versions; nothing else is tried
  LIBTORCH_USE_PYTORCH=1  the PyTorch of the active Python; nothing else is tried
  DYCONV_CUDA             cu130: libtorch for CUDA 13.0; auto: the same where a driver is loaded (default: off);
                          cu126, cu128 and others: the official archive for it, of which no checksum is pinned
  DYCONV_CUDA_SHA256      the checksum that such an archive has to have
  DYCONV_CACHE            the cache folder (default: dyconv in XDG_CACHE_HOME or ~/.cache; macOS: ~/Library/Caches)
  DYCONV_LIBTORCH_URL     a mirror of the official files (the folder that holds cpu/)
  DYCONV_OFFLINE=1        fetch nothing
  HTTPS_PROXY, NO_PROXY   as usual`;

const command = createCommand(
  'node scripts/libtorch.js',
  'Prints the folder of libtorch on one line; fetches it first where there is none.',
)
  .option('--json', 'print dir, version, flavour and source')
  .addHelpText('after', HELP);

await runCommand(
  command,
  async ({ json }) => {
    ensureDist();
    const { ensureLibtorch } = await import('../dist/install/libtorch.js');
    const found = await ensureLibtorch();
    console.log(json ? JSON.stringify(found) : found.dir);
  },
  { prefix: 'dyconv' },
);
