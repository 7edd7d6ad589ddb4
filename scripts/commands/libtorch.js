/**
 * `libtorch`: prints the folder of a libtorch that the add-on can be built against; downloads it first if there is none.
 * @module
 */
import { defineCommand } from '../cli/command.js';
import { ensureDist } from '../dist.js';

const NOTES = `\
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

export const command = defineCommand({
  name: 'libtorch',
  description: 'Prints the folder of libtorch. Downloads libtorch first if it is missing.',
  options: { json: { flag: 'plain', help: 'print dir, version, flavour and source as JSON' } },
  notes: NOTES,
  errorPrefix: 'dyconv',
  async run({ json }) {
    ensureDist();
    const { ensureLibtorch } = await import('../../dist/install/libtorch.js');
    const found = await ensureLibtorch();
    console.log(json ? JSON.stringify(found) : found.dir);
  },
});
