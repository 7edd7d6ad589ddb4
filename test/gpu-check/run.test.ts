/** The plan of `gpu-check` and how it runs: parts are small programs of node. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../install/support.js';
import { root } from '../scripts/support.js';
import { load, machine } from './support.js';

const { limitOf, planParts } = await load('plan');
const { runParts } = await load('run');

const timed = (name: string, value: number, seconds: number, more: object = {}) => ({
  ...{ name, value, seconds, most: 10 * seconds, needs: [] as string[] },
  ...more,
});

describe('planParts', () => {
  const parts = [
    timed('build', 1, 100),
    timed('tests', 2, 60, { needs: ['build'] }),
    timed('grid', 5, 50, { needs: ['build'] }),
    timed('train', 3, 90, { least: 40, most: 300, needs: ['build'] }),
    timed('bench', 4, 80, { needs: ['build'] }),
  ];
  const plan = (seconds: number, passed?: Set<string>) =>
    Object.fromEntries(planParts(parts, seconds, passed)) as Record<string, number>;

  it('gives time to the most valuable parts, and the rest to those that can use any', () => {
    expect(plan(330)).toEqual({ build: 100, tests: 60, grid: 50, train: 40, bench: 80 });
    expect(plan(400)).toEqual({ build: 100, tests: 60, grid: 50, train: 110, bench: 80 });
    expect(plan(2000)).toMatchObject({ train: 300 });
  });

  it('leaves out what does not fit, and takes less valuable parts that do', () => {
    expect(plan(279)).toEqual({ build: 100, tests: 60, grid: 50, train: 69 });
    expect(plan(199)).toEqual({ build: 100, tests: 60 });
    expect(plan(99)).toEqual({});
  });

  it('leaves out parts whose needs are not in the plan', () => {
    const needy = [timed('first', 2, 50), timed('second', 1, 10, { needs: ['first'] })];
    expect(Object.fromEntries(planParts(needy, 100))).toEqual({ first: 50 });
    expect(Object.fromEntries(planParts(needy.slice(1), 100, new Set(['first'])))).toEqual({ second: 10 });
  });

  it('divides the rest evenly', () => {
    const elastic = ['one', 'two'].map((name, i) => timed(name, i, 90, { least: 10, most: 500 }));
    expect(Object.fromEntries(planParts(elastic, 120))).toEqual({ one: 60, two: 60 });
  });

  it('lets a part take longer, but not the time of others', () => {
    const limit = (name: string, seconds: number) =>
      limitOf(parts.find((part) => part.name === name)!, planParts(parts, seconds), parts, seconds);
    expect(limit('build', 400)).toBe(170); // the others need at least 230
    expect(limit('build', 5000)).toBe(1000);
    expect(limit('train', 400)).toBe(110);
  });
});

interface Results {
  parts: Record<string, { status: string; reason: string | null; figures: Record<string, unknown> }>;
}

/** Whether a process runs; one that has ended may wait to be collected. */
function isRunning(pid: string): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'));
}

const node = (code: string) => [{ file: process.execPath, args: ['-e', code] }];
const part = (name: string, code: string, more: object = {}) => ({
  ...{ name, title: `runs ${name}`, value: 1, seconds: 1, most: 20, needs: [] },
  commands: () => node(code),
  ...more,
});

/** Runs parts; `state` is what results.json and summary.md say afterwards. */
async function run(
  parts: ReturnType<typeof part>[],
  options: { minutes?: number; out?: string; signal?: AbortSignal; driver?: string } = {},
) {
  const { minutes = 1, out = join(temporaryFolder(), 'out'), signal, driver = machine.gpu.driver } = options;
  const lines: string[] = [];
  const own = { ...machine, gpu: { ...machine.gpu, driver } };
  const results: Results = await runParts({
    parts,
    machine: own,
    minutes,
    out,
    dataDir: out,
    root,
    signal,
    say: (line: string) => lines.push(line),
  });
  const written = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
  const statuses = Object.fromEntries(
    Object.entries(results.parts).map(([name, { status }]) => [name, status]),
  );
  return { out, lines, results, written, statuses, summary: readFileSync(join(out, 'summary.md'), 'utf8') };
}

describe('runParts', () => {
  it('writes the result of every part before the next one runs', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const read = `const { parts } = JSON.parse(require('fs').readFileSync(${JSON.stringify(join(out, 'results.json'))}));`;
    const { results, written, summary } = await run(
      [
        part('one', 'console.log("text"); console.log(JSON.stringify({ n: 1 })); console.error("warning")', {
          read: (lines: unknown[]) => ({ lines }),
        }),
        part('two', `${read} console.log(JSON.stringify({ seen: parts.one.status }))`, {
          read: ([line]: object[]) => ({ ...line }),
        }),
      ],
      { out },
    );
    expect(results.parts.one).toMatchObject({
      status: 'passed',
      reason: null,
      figures: { lines: [{ n: 1 }] },
    });
    expect(results.parts.two!.figures).toEqual({ seen: 'passed' });
    expect(written).toEqual(results);
    const log = readFileSync(join(out, 'logs', 'one.log'), 'utf8');
    expect(log).toContain(`$ ${process.execPath} -e `);
    expect(log.split('\n').sort()).toEqual(expect.arrayContaining(['text', '{"n":1}', 'warning']));
    expect(summary).toMatch(
      /\| one \| runs one \| passed \| [\d.]+ \(1\) \| {2}\| \[log\]\(logs\/one\.log\) \|/,
    );
  });

  it('reports a part that fails, and leaves out those that need it', async () => {
    const { statuses, results } = await run([
      part('build', 'process.exit(3)'),
      part('tests', '', { needs: ['build'] }),
      part('figures', '', {
        read: () => ({ worst: 1 }),
        failure: ({ worst }: { worst: number }) => `worst is ${worst}`,
      }),
      part('absent', '', { commands: () => [{ file: '/nonexistent/program', args: [] }] }),
      part('impossible', '', { problem: () => 'there is no tool' }),
      part('last', ''),
    ]);
    expect(statuses).toEqual({
      impossible: 'skipped',
      build: 'failed',
      figures: 'failed',
      absent: 'failed',
      last: 'passed',
      tests: 'skipped',
    });
    const reasons = Object.fromEntries(
      Object.entries(results.parts).map(([name, { reason }]) => [name, reason]),
    );
    expect(reasons).toEqual({
      build: 'ended with 3',
      tests: 'without build',
      figures: 'worst is 1',
      absent: expect.stringMatching(/ENOENT/),
      impossible: 'there is no tool',
      last: null,
    });
  });

  it('records the commands that were run', async () => {
    const file = join(temporaryFolder(), 'made');
    const code = () =>
      existsSync(file) ? 'continue' : `require('fs').writeFileSync(${JSON.stringify(file)}, '')`;
    const { written } = await run([part('one', '', { commands: () => node(code()) })]);
    expect(written.parts.one.commands).toEqual([expect.stringContaining('writeFileSync')]);
  });

  it('goes on after a command that may fail, and stops at another', async () => {
    const may = { file: process.execPath, args: ['-e', 'process.exit(1)'], mayFail: true };
    const print = node('console.log("{}")');
    const counted = { read: (lines: unknown[]) => ({ lines: lines.length }) };
    const { results } = await run([
      part('may', '', { commands: () => [may, ...print], ...counted }),
      part('must', '', { commands: () => [...node('process.exit(1)'), ...print], ...counted }),
    ]);
    expect(results.parts.may).toMatchObject({ status: 'passed', figures: { lines: 1 } });
    expect(results.parts.must).toMatchObject({ status: 'failed', figures: { lines: 0 } });
  });

  const endless = `console.log(JSON.stringify({ epoch: 1 })); process.on('SIGINT', () => process.exit(130)); setInterval(() => {}, 1000)`;

  it('stops a part at its limit, with the figures that it had, and its children', async () => {
    const file = join(temporaryFolder(), 'pid');
    const parent = `const { pid } = require('child_process').spawn('sleep', ['600']); require('fs').writeFileSync(${JSON.stringify(file)}, String(pid)); ${endless}`;
    const { results, statuses } = await run(
      [
        part('slow', parent, { most: 1.5, read: (lines: unknown[]) => ({ lines }) }),
        part('any', endless, { least: 1, most: 1.5, read: (lines: unknown[]) => ({ lines }) }),
      ],
      {},
    );
    expect(statuses).toEqual({ slow: 'cut', any: 'passed' });
    expect(results.parts.slow).toMatchObject({
      reason: 'not finished after 2 s',
      complete: false,
      figures: { lines: [{ epoch: 1 }] },
    });
    expect(results.parts.any).toMatchObject({ complete: false, figures: { lines: [{ epoch: 1 }] } });
    expect(isRunning(readFileSync(file, 'utf8'))).toBe(false);
  });

  it('leaves out what the time does not allow', async () => {
    const { statuses, results } = await run([part('long', '', { seconds: 50 }), part('short', '')], {
      minutes: 0.1,
    });
    expect(statuses).toEqual({ short: 'passed', long: 'skipped' });
    expect(results.parts.long!.reason).toMatch(/^it needs 50 s, and [34] s are left$/);
  });

  it('continues in the same folder with what is left', async () => {
    const folder = temporaryFolder();
    const marker = join(folder, 'marker');
    const append = (name: string) => `require('fs').appendFileSync(${JSON.stringify(marker)}, '${name} ')`;
    const first = await run([
      part('good', append('good')),
      part('bad', `${append('bad')}; process.exit(1)`),
      part('long', append('long'), { seconds: 500 }),
    ]);
    expect(first.statuses).toEqual({ good: 'passed', bad: 'failed', long: 'skipped' });
    const second = await run(
      [
        part('good', append('good')),
        part('bad', append('bad')),
        part('long', append('long'), { needs: ['good'] }),
      ],
      { out: first.out },
    );
    expect(second.statuses).toEqual({ good: 'passed', bad: 'passed', long: 'passed' });
    expect(second.lines[0]).toBe('good: passed before');
    expect(readFileSync(marker, 'utf8')).toBe('good bad bad long ');
  });

  it('refuses a folder with results of another machine, or with another file', async () => {
    const { out } = await run([part('one', '')]);
    await expect(run([part('one', '')], { out, driver: '590.1' })).rejects.toThrow(
      /without results of another machine or commit for --out/,
    );
    writeFileSync(join(out, 'results.json'), 'text');
    await expect(run([part('one', '')], { out })).rejects.toThrow(
      /Expected results of this command in .*results\.json/,
    );
  });

  it('stops when it is interrupted', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 700);
    const { statuses, results } = await run([part('one', endless), part('two', '')], {
      signal: controller.signal,
    });
    expect(statuses).toEqual({ one: 'cut', two: 'skipped' });
    expect([results.parts.one!.reason, results.parts.two!.reason]).toEqual(['stopped', 'stopped']);
  });
});
