/**
 * What is usual in containers: `npm ci` by a user without rights, and a root file system that cannot be written. Both need the
 * rights of root here, to give them up.
 * @module
 */
import { chownSync, cpSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { attempt, check, expect, npm, project, root, run, skip } from './steps.js';

const NOBODY = 65534;

/** @param {string} work @param {string} prebuilt @param {string} main */
export function inContainers(work, prebuilt, main) {
  const what = 'npm ci without rights, a read-only root';
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return skip(what, 'needs root on Linux');
  if (attempt('unshare', ['--mount', 'true']).status !== 0) return skip(what, 'mounts are not allowed');
  const folder = project(work, 'container é');
  const cache = join(folder, 'cache');
  const env = {
    HOME: join(folder, 'home'),
    DYCONV_CACHE: cache,
    npm_config_cache: join(folder, 'home', '.npm'),
  };
  check('a lock file, and libtorch where everyone can read it', () => {
    for (const file of [prebuilt, main]) cpSync(file, join(folder, basename(file)));
    const tarballs = [prebuilt, main].map((file) => `./${basename(file)}`);
    npm(folder, 'install', '--package-lock-only', ...tarballs);
    mkdirSync(env.HOME);
    shareLibtorch(cache);
    run('chown', ['--recursive', `${NOBODY}:${NOBODY}`, folder]);
    // The folders above belong to root; others may pass.
    run('chmod', ['a+rx', work]);
  });
  const nobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  check('npm ci as a user without rights', () => {
    const install = ['npm', 'ci', '--no-audit', '--no-fund', '--foreground-scripts'];
    const { status, stdout, stderr } = attempt('env', [...nobody, ...install], folder, env);
    expect(status === 0 && stderr.includes('the prebuilt add-on'), stdout + stderr);
  });
  chownSync(folder, 0, 0);
  check('esm.mjs and npx dyconv doctor where nothing can be written', () => {
    const readOnly = (/** @type {string} */ at) =>
      `mount --bind "${at}" "${at}" && mount -o remount,bind,ro "${at}"`;
    const inside = [
      readOnly(work),
      readOnly('/'),
      `if touch "${folder}/written" /written 2>/dev/null; then echo 'not read-only' >&2; exit 1; fi`,
      `cd "${folder}"`,
      `${nobody.join(' ')} "${process.execPath}" esm.mjs`,
      `${nobody.join(' ')} "${process.execPath}" node_modules/dyconv/scripts/dyconv.js doctor`,
    ];
    run('unshare', ['--mount', 'sh', '-c', inside.join(' && ')], folder, env);
  });
}

/** The libtorch of this machine under another path. @param {string} cache */
function shareLibtorch(cache) {
  const libtorch = run(process.execPath, [join(root, 'scripts', 'libtorch.js')]).trim();
  const into = join(cache, basename(libtorch));
  mkdirSync(cache, { recursive: true });
  // Links to the files take no space, if both are on one disk.
  if (attempt('cp', ['--archive', '--link', libtorch, into]).status !== 0)
    run('cp', ['--archive', libtorch, into]);
}
