/** `dyconv launch`, and the training script of the guide. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { blocks } from '../docs/pages.js';
import { limit } from '../support/limit.js';
import { freePort, startCommand } from './support.js';

const bin = fileURLToPath(new URL('../../scripts/dyconv.js', import.meta.url));
const entry = new URL('../../dist/index.js', import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'dyconv-launch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launch = (...args: string[]) => startCommand(process.execPath, [bin, 'launch', ...args], {}).ended;

function program(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, body);
  return file;
}

/** Reports the environment, and fails where the condition holds. */
const reporting = (condition: string) => `
const { RANK: rank, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT, TORCHELASTIC_RESTART_COUNT: attempt } = process.env;
console.log('@' + JSON.stringify({ rank, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT, attempt, args: process.argv.slice(2) }));
if (${condition}) process.exit(7);
`;

describe('launch', () => {
  it("runs the guide's training", async () => {
    const [code] = blocks('docs/guides/distributed.md', 'js');
    const script = program('my-training.mjs', code!.replace("'dyconv'", `'${entry}'`));
    const { code: status, stdout, stderr } = await launch('--nproc', '2', script);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toBe('6 parameters trained by 2 processes\n');
  });

  it('gives each process its environment, and the script what follows it', async () => {
    const script = program('environment.mjs', reporting('false'));
    const { code, reports } = await launch('--nproc', '2', script, '--nproc', '3', 'x');
    expect(code).toBe(0);
    const port = reports[0].MASTER_PORT;
    expect(reports.sort((a, b) => a.rank - b.rank)).toEqual(
      ['0', '1'].map((rank) => ({
        ...{ rank, LOCAL_RANK: rank, WORLD_SIZE: '2', LOCAL_WORLD_SIZE: '2' },
        ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: port, attempt: '0', args: ['--nproc', '3', 'x'] },
      })),
    );
  });

  it('numbers the processes of several machines', async () => {
    const script = program('machines.mjs', reporting('false'));
    const port = String(await freePort());
    const machine = (rank: string) =>
      launch(
        ...['--nnodes', '2', '--node-rank', rank, '--nproc', '2'],
        ...['--master-addr', 'localhost', '--master-port', port, script],
      );
    const all = await Promise.all([machine('0'), machine('1')]);
    const ranks = all
      .flatMap(({ reports }) => reports)
      .map(({ rank, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT }) => {
        expect([MASTER_ADDR, MASTER_PORT]).toEqual(['localhost', port]);
        return [rank, LOCAL_RANK, WORLD_SIZE];
      });
    expect(ranks.sort()).toEqual([
      ['0', '0', '4'],
      ['1', '1', '4'],
      ['2', '0', '4'],
      ['3', '1', '4'],
    ]);
  });

  it('starts all processes again when one fails, and gives up with its exit code', async () => {
    const once = program('once.mjs', reporting("rank === '1' && attempt === '0'"));
    const restarted = await launch('--nproc', '2', '--max-restarts', '2', once);
    expect(restarted.code).toBe(0);
    expect(restarted.stderr).toContain('launch: rank 1 ended with 7; restart 1 of 2');
    expect(restarted.reports.filter(({ attempt }) => attempt === '1')).toHaveLength(2);

    const always = program('always.mjs', `${reporting("rank === '0'")}\nsetInterval(() => {}, 1000);`);
    const failed = await launch('--nproc', '2', '--max-restarts', '1', always);
    expect(failed.code).toBe(7);
    expect(failed.stderr).toMatch(/restart 1 of 1\nlaunch: rank 0 ended with 7\n$/);
  });

  it('refuses a machine number or port that is too large, and several machines without an address', async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await launch(...args, 'script.mjs');
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refused('--nnodes', '2', '--node-rank', '2')).toContain(
      'Expected a number below 2 for --node-rank but received 2',
    );
    expect(await refused('--nnodes', '2')).toContain('Expected --master-addr, the address of machine 0');
    expect(await refused('--master-port', '65536')).toContain(
      'Expected a port up to 65535 for --master-port but received 65536',
    );
  });

  it('sets the number of threads if the variable is empty, and that rank 0 has the store', async () => {
    const script = program(
      'variables.mjs',
      `const { OMP_NUM_THREADS: threads, TORCHELASTIC_USE_AGENT_STORE: agent } = process.env;
console.log('@' + JSON.stringify({ threads, agent }));`,
    );
    const start = (threads: string) =>
      startCommand(process.execPath, [bin, 'launch', script], {
        OMP_NUM_THREADS: threads,
        TORCHELASTIC_USE_AGENT_STORE: 'True',
      }).ended;
    const [empty, three] = await Promise.all([start(''), start('3')]);
    expect(Number(empty.reports[0].threads)).toBeGreaterThan(0);
    expect(empty.reports[0].agent).toBe('False');
    expect(three.reports[0].threads).toBe('3');
  });

  describe.skipIf(process.platform === 'win32')('signals', () => {
    /** Starts two processes that report what they get, and waits until both run. */
    async function started(onSignal: string) {
      const script = program(
        'signals.mjs',
        `import { writeSync } from 'node:fs';
const say = (text) => writeSync(1, text + '\\n');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
  process.on(signal, () => { say('@' + JSON.stringify(signal)); ${onSignal} });
setInterval(() => {}, 1000);
say('ready ' + process.env.RANK + ' ' + process.pid);`,
      );
      const group = startCommand(process.execPath, [bin, 'launch', '--nproc', '2', script], {});
      await Promise.all([group.printed('ready 0'), group.printed('ready 1')]);
      return group;
    }

    it.each([
      ['SIGINT', 'SIGINT'],
      ['SIGTERM', 'SIGTERM'],
      ['SIGHUP', 'SIGTERM'],
      ['SIGQUIT', 'SIGTERM'],
    ] as const)('%s reaches each process once, as %s', async (sent, received) => {
      const group = await started('setTimeout(() => process.exit(3), 300)');
      group.process.kill(sent);
      const { code, reports } = await group.ended;
      expect({ code, reports }).toEqual({ code: 3, reports: [received, received] });
    });

    it('sent twice, ends processes that are stopped', { timeout: limit(60_000) }, async () => {
      const group = await started('process.exit(3)');
      const stopped = Number(/ready 0 (\d+)/.exec(group.output())![1]);
      process.kill(stopped, 'SIGSTOP');
      group.process.kill('SIGTERM');
      await group.printed('SIGTERM'); // the other one has it
      group.process.kill('SIGTERM');
      expect((await group.ended).code).toBe(3);
      expect(() => process.kill(stopped, 0)).toThrow('ESRCH');
    });
  });
});
