/** Turns of contestants that fail, and the process of PyTorch: a shell script in its place. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, writeTree } from '../install/support.js';

const load = (name: string) => import(new URL(`../../scripts/bench/${name}.js`, import.meta.url).href);
const { takeTurns } = await load('turns');
const { startPyTorch } = await load('pytorch');

describe('takeTurns', () => {
  const good = { infer: () => 1, train: () => 2 };
  const contestants = () => {
    let steps = 0;
    const fails = () => {
      if (++steps === 2) throw new Error('out of memory');
      return 1;
    };
    return { good, bad: { infer: fails, train: fails } };
  };

  it('ends at the error of a contestant', async () => {
    await expect(takeTurns(contestants(), { turns: 3 })).rejects.toThrow('out of memory');
  });

  it('goes on without a contestant that failed if its error is taken', async () => {
    const failures: string[] = [];
    const onFailure = (name: string, error: Error) => failures.push(`${name}: ${error.message}`);
    const results = await takeTurns(contestants(), { turns: 3, onFailure });
    expect(results).toEqual({ good: { infer_ms: 1, train_ms: 2, turns: 3 } });
    expect(failures).toEqual(['bad: out of memory']);
  });
});

describe('startPyTorch', () => {
  const answers = `#!/bin/sh
echo torch 2.14.0
while read -r what mode; do
  case "$mode" in
    fails) echo "RuntimeError: no kernel" ;;
    ends) exit 3 ;;
    *) echo 1.5 ;;
  esac
done
`;

  it('answers with milliseconds, with errors of a step, and with the end of the process', async () => {
    const folder = writeTree(temporaryFolder(), { python: answers });
    chmodSync(join(folder, 'python'), 0o755);
    const ask = await startPyTorch(join(folder, 'python'), []);
    expect(await ask('train static')).toBe(1.5);
    await expect(ask('train fails')).rejects.toThrow('PyTorch, train fails: RuntimeError: no kernel');
    expect(await ask('infer static')).toBe(1.5);
    await expect(ask('train ends')).rejects.toThrow(/ended with code 3/);
    await expect(ask('infer static')).rejects.toThrow(/ended with code 3/);
  });
});
