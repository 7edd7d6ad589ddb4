/**
 * The commands in the README, the guides and the pages on commands and performance, in blocks and in sentences,
 * are run in the order in which they are printed, in a folder with only the package's scripts. commands.ts
 * lists those that are not run as printed, with the reasons.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { ELSEWHERE, NOT_RUN, QUICK } from './commands.js';
import { commandLines, guides, inlineCommands, optionRows, root } from './pages.js';

const pages = ['README.md', ...guides, 'docs/commands.md', 'docs/performance.md'];
// Blocks first: commands in sentences may need their results.
const printed = [...new Set([...pages.flatMap(commandLines), ...pages.flatMap(inlineCommands)])];
const LAYERS = 'node scripts/bench.js layer --no-memory --turns 15';
const lines = [...printed, ...optionRows('docs/performance.md').map((options) => `${LAYERS} ${options}`)];

const quickOf = (line: string) => QUICK.find(([form]) => form.test(line));
const run = lines.filter((line) => !(line in NOT_RUN) && !(line in ELSEWHERE));
const asPrinted = run.filter((line) => !quickOf(line));

const work = mkdtempSync(join(tmpdir(), 'dyconv-commands-'));

function sh(line: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { cwd: work, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

async function picture(file: string, red: number): Promise<void> {
  const background = { r: red, g: 30, b: 30 };
  await sharp({ create: { width: 50, height: 40, channels: 3, background } })
    .jpeg()
    .toFile(file);
}

beforeAll(async () => {
  symlinkSync(join(root, 'scripts'), join(work, 'scripts'), 'junction');
  cpSync(join(root, 'package.json'), join(work, 'package.json'));
  mkdirSync(join(work, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(join(root, 'scripts', 'dyconv.js'), join(work, 'node_modules', '.bin', 'dyconv'));
  await picture(join(work, 'photo.jpg'), 200);
  for (const kind of ['train/cat', 'train/dog', 'test/cat', 'test/dog']) {
    const folder = join(work, 'pictures', kind);
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < 8; i++) await picture(join(folder, `${i}.jpg`), 20 * i);
  }
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the lists of commands that are not run as printed', () => {
  it('contain only printed commands', () => {
    const listed = [...Object.keys(NOT_RUN), ...Object.keys(ELSEWHERE)];
    expect(listed.filter((line) => !printed.includes(line))).toEqual([]);
    for (const [form] of QUICK)
      expect(
        lines.some((line) => form.test(line)),
        String(form),
      ).toBe(true);
  });

  it('leave most commands to be run', () => {
    expect(asPrinted.length).toBeGreaterThanOrEqual(15);
    expect(run.length).toBeGreaterThan(2 * Object.keys(NOT_RUN).length);
  });

  it.each(Object.entries(ELSEWHERE))('%s is run elsewhere', (_line, [file, text]) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(text);
  });
});

describe('in an empty folder', () => {
  const cases = run.map((line): [name: string, command: string] => {
    const [, reason, quick] = quickOf(line) ?? [];
    return [reason ? `${line} (${reason})` : line, quick?.(line) ?? line];
  });
  // Only Debian has this command.
  const hasApt = spawnSync('apt-get', ['--version']).status === 0;
  const possible = ([, command]: [string, string]) => hasApt || !command.startsWith('apt-get ');
  it.skip.each(cases.filter((entry) => !possible(entry)))('%s (skipped: there is no apt-get)', () => {});

  it.each(cases.filter(possible))('%s', { timeout: limit(240_000) }, (_name, command) => {
    const out = /(?:train|compare)\.js .*--out (\S+)/.exec(command)?.[1];
    // Two pages may start the same run.
    if (out && !command.includes('--resume')) rmSync(join(work, out), { recursive: true, force: true });
    const { status, output } = sh(command);
    expect(status, `${command}\n${output}`).toBe(0);
    if (!out) return;
    expect(existsSync(join(work, out)), out).toBe(true);
    if (out.endsWith('.html')) expect(readFileSync(join(work, out), 'utf8')).toContain('<html');
    else expect(existsSync(join(work, out, 'report.html'))).toBe(true);
  });
});
