// Every CPU kernel on random sizes, between pages without access: scripts/fuzz-kernels.js.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const script = fileURLToPath(new URL('../../scripts/fuzz-kernels.js', import.meta.url));

describe('the CPU kernels', () => {
  it('access only their buffers, and agree with loops in float64', {
    timeout: limit(180_000),
  }, () => {
    const child = spawnSync(process.execPath, [script, '--cases', '2000', '--seed', '1'], {
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    expect(child.status).toBe(0);
    const runs = child.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { cases: number });
    expect(runs.length).toBeGreaterThan(0);
    for (const { cases } of runs) expect(cases).toBe(2000);
  });
});
