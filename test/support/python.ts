/** Python for tests that make their files with PyTorch. `PYTHON` names another than `python3`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const python = process.env.PYTHON ?? 'python3';

/** Whether Python has a module. */
export function hasModule(name: string): boolean {
  return spawnSync(python, ['-c', `import ${name}`]).status === 0;
}

/** Runs a script, whose `sys.argv[1:]` are `args`, from a file: TorchScript reads its source. Returns what it prints. */
export function runPython(code: string, ...args: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-python-'));
  const file = join(folder, 'script.py');
  writeFileSync(file, code);
  const { status, stdout, stderr } = spawnSync(python, [file, ...args], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
