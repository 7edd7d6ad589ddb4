/** The figures of docs/results.md are those of the records in docs/results, computed by the command on the page. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './pages.js';

interface Mean {
  mean: number;
  halfWidth: number;
}

const records = readdirSync(join(root, 'docs/results'));

it.each([
  ['fashion-', 6, 2],
  ['cifar10-mobilenet-', 4, 2],
  ['cifar10-alexnet-', 3, 3],
])(
  'docs/results.md has the accuracies that compare.js finds in docs/results/%s*',
  (prefix, count, models) => {
    const folders = records
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(root, 'docs/results', name));
    expect(folders).toHaveLength(count);
    const { status, stdout } = spawnSync(process.execPath, ['scripts/compare.js', ...folders, '--json'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    const page = readFileSync(join(root, 'docs/results.md'), 'utf8');
    const { rows } = JSON.parse(stdout) as { rows: Record<'trainAccuracy' | 'valAccuracy', Mean>[] };
    expect(rows).toHaveLength(models);
    for (const { trainAccuracy, valAccuracy } of rows) {
      for (const { mean, halfWidth } of [trainAccuracy, valAccuracy])
        expect(page).toContain(
          count > models ? `${mean.toFixed(4)} ± ${halfWidth.toFixed(4)}` : mean.toFixed(4),
        );
    }
  },
);
