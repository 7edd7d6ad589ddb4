import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../scripts/fuzz.js', import.meta.url));

// The calls run in separate processes; the message of a finding has the number that repeats it.
it('every call with hostile arguments ends in a result or in an error of the package', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, '--calls', '20000', '--seed', '20261124', '--json'],
    { maxBuffer: 2 ** 24 },
  ).catch((error) => {
    throw new Error(`${error.stderr}\n${error.stdout}`);
  });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ findings: 0, calls: 20_000 });
  // Most calls are rejected, many succeed, and nearly every function has been called.
  expect(result.refused).toBeGreaterThan(5000);
  expect(result.returned).toBeGreaterThan(3000);
  expect(result.targets).toBeGreaterThan(0.95 * result.known);
}, 180_000);
