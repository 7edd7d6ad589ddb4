/**
 * The libtorch inside the PyTorch of the active Python.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

// Finds the package without importing it, which would take seconds.
const FIND = `
import importlib.util, sys
spec = importlib.util.find_spec("torch")
if spec is None or not spec.submodule_search_locations:
    sys.exit("no module named torch in " + sys.executable)
print(list(spec.submodule_search_locations)[0])
`;

/**
 * The folder of PyTorch in the Python that `$PYTHON` names, else of an active virtual environment, else of `python3`.
 *
 * @returns The folder, with `lib/` and `include/`, or `{ problem }`: a sentence with the reason why there is none.
 */
export function findPythonTorch(env: NodeJS.ProcessEnv = process.env): string | { problem: string } {
  const python = env.PYTHON || virtualPython(env) || (process.platform === 'win32' ? 'python' : 'python3');
  const child = spawnSync(python, ['-c', FIND], { env, encoding: 'utf8' });
  if (child.error) {
    const absent = (child.error as NodeJS.ErrnoException).code === 'ENOENT';
    return { problem: absent ? `${python} is not installed` : child.error.message };
  }
  if (child.status !== 0) {
    return { problem: child.stderr.trim().split('\n').at(-1) || `${python} ended with code ${child.status}` };
  }
  return child.stdout.trim();
}

function virtualPython(env: NodeJS.ProcessEnv): string | undefined {
  if (!env.VIRTUAL_ENV) return undefined;
  const name = process.platform === 'win32' ? join('Scripts', 'python.exe') : join('bin', 'python');
  const python = join(env.VIRTUAL_ENV, name);
  return existsSync(python) ? python : undefined;
}
