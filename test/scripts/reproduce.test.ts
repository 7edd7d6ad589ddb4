/** reproduce.js continues where it was stopped, with the same bits as a run that was not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSafetensors } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { command, env, folder, root } from './support.js';

const NAME = 'bundled-alexnet-dy-7';
const OPTIONS = [
  ...['--dataset', 'bundled', '--models', 'alexnet-dy', '--seeds', '7', '--epochs', '4', '--milestones', '3'],
  ...['--limit-train', '32', '--limit-test', '16', '--batch-size', '8', '--threads', '1'],
];

/** Runs it, and sends a signal when it prints a text. */
async function run(out: string, stop?: { at: string; signal: NodeJS.Signals }) {
  const child = spawn(process.execPath, [join(root, 'scripts/reproduce.js'), ...OPTIONS, '--out', out], {
    cwd: folder,
    env,
  });
  let text = '';
  let isStopped = false;
  const read = (part: Buffer) => {
    text += part.toString();
    if (!stop || isStopped || !text.includes(stop.at)) return;
    isStopped = true;
    child.kill(stop.signal);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const [code, signal] = await once(child, 'close');
  return { code, signal, text };
}

/** The tensors of a file; what else it holds names the checkpoint. */
async function weights(out: string, file: string) {
  const state = await loadSafetensors(join(out, NAME, file));
  return Object.entries(state).map(([key, tensor]) => [key, Buffer.from(tensor.dataSync().buffer)] as const);
}

it('killed, interrupted and continued, it ends with the same weights', {
  timeout: limit(240_000),
}, async () => {
  const [stopped, whole] = [join(folder, 'stopped'), join(folder, 'whole')];
  const reference = run(whole);
  expect((await run(stopped, { at: 'epoch 2/4', signal: 'SIGKILL' })).signal).toBe('SIGKILL');
  const interrupted = await run(stopped, { at: 'epoch 3/4', signal: 'SIGINT' });
  expect(interrupted.text).toContain('Stopped. Run the same command again to continue.');
  expect(interrupted.code).toBe(130);
  const last = await run(stopped);
  expect(last.code, last.text).toBe(0);
  expect((await reference).code).toBe(0);
  for (const file of ['last.safetensors', 'best.safetensors']) {
    const [found, expected] = [await weights(stopped, file), await weights(whole, file)];
    expect(found.map(([key]) => key)).toEqual(expected.map(([key]) => key));
    for (const [i, [key, bytes]] of found.entries())
      expect(bytes.equals(expected[i]![1]), `${file} ${key}`).toBe(true);
  }
  expect(last.text).toMatch(/alexnet-dy +0\.\d{4} +0\.7515 +0\.\d{4} +0\.8209/);
  expect(readdirSync(join(stopped, 'records', NAME)).sort()).toEqual([
    ...['config.json', 'curves.svg', 'environment.json', 'evaluation.json', 'metrics.jsonl'],
  ]);

  // Everything is finished: nothing is trained again, and other settings are refused.
  const again = await run(stopped);
  expect(again.text).not.toContain('epoch 1/4');
  expect(again.text).toContain('alexnet-dy');
  const other = command('reproduce', ...OPTIONS, '--out', stopped, '--batch-size', '4');
  expect(other.status).toBe(1);
  expect(other.stderr).toContain('Expected 8 for --batch-size');
});
