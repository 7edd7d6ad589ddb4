import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../scripts/soak.js', import.meta.url));

// A tenth of the default of scripts/soak.js.
it.each(['sync', 'async', 'small', 'epochs', 'workers'])(
  'memory stays within its limit: %s',
  async (item) => {
    const args = [script, '--share', '0.1', '--json', item];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 175_000 }).catch(
      (error) => {
        throw new Error(`${error.stderr}\n${error.stdout}`);
      },
    );
    const [row] = JSON.parse(stdout).rows;
    expect(row.ok).toBe(true);
    expect(row.mb).toBeLessThanOrEqual(row.limit);
  },
  180_000,
);
