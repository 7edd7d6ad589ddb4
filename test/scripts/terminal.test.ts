/**
 * The output of train.js on a terminal, simulated by `script` of util-linux; without a terminal it prints lines
 * (commands.test.ts).
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const train = fileURLToPath(new URL('../../scripts/train.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dyconv-terminal-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux');

/** Runs a small training on a terminal; `onOutput` gets all output so far. */
async function onTerminal(
  out: string,
  options: { env?: NodeJS.ProcessEnv; onOutput?: (text: string, type: (keys: string) => void) => void } = {},
) {
  const { NO_COLOR: _, ...inherited } = process.env;
  const args = ['--dataset', 'bundled', '--model', 'alexnet', '--limit-train', '40', '--limit-test', '8'];
  const recipe = ['--batch-size', '8', '--epochs', '1', '--lr', '0.001', '--threads', '1', '--out', out];
  const line = [process.execPath, train, ...args, ...recipe].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: folder,
    env: { ...inherited, TERM: 'xterm', ...options.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
    options.onOutput?.(text, (keys) => child.stdin.write(keys));
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, text };
}

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

// Without it there is no simulated terminal: Windows, macOS with BSD's `script`.
describe.skipIf(!hasScript)("a terminal (needs util-linux's script)", () => {
  it('has a bar while an epoch lasts, then its line, in colors', { timeout: limit(120_000) }, async () => {
    const { code, text } = await onTerminal('coloured');
    expect(code).toBe(0);
    expect(text).toMatch(/alexnet 1\/1 [█░]+ \d+% {2}loss \d/);
    expect(text).toContain('\u001b[1malexnet\u001b[22m epoch 1/1');
    expect(text).toMatch(/waiting for data\r\n/);
    expect(text.lastIndexOf(SHOW)).toBeGreaterThan(text.lastIndexOf(HIDE));
  });

  it('is left as it was at Ctrl-C, without colors where NO_COLOR is set', {
    timeout: limit(120_000),
  }, async () => {
    let typed = false;
    const { code, text } = await onTerminal('stopped', {
      env: { NO_COLOR: '1' },
      onOutput(text, type) {
        if (typed || !text.includes('░')) return;
        typed = true;
        type('\u0003');
      },
    });
    expect(code).toBe(130);
    const [before, after] = text.split('Stopping after this step') as [string, string];
    expect(before.lastIndexOf(SHOW)).toBeGreaterThan(before.lastIndexOf(HIDE));
    expect(after).toMatch(/Continue with: node scripts\/train\.js --out stopped --resume\r\n$/);
    expect(after).not.toMatch(/[█░]/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colors are made of these.
    expect(text).not.toMatch(/\u001b\[\d+m/);
  });
});
