/** Groups of processes on this machine. They run the compiled package. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

const entry = new URL('../../dist/index.js', import.meta.url).href;

/**
 * A port of the loopback interface that is free now. It is below those that the system gives to connections, so that nothing takes it
 * before the process it is for.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** What a process left: its exit code, or the signal that ended it, its output, and what it gave to `report()`. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  // biome-ignore lint/suspicious/noExplicitAny: the values that the program of the test reports
  reports: any[];
}

export interface Rank {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** What it has printed so far. */
  output(): string;
  /** Resolves when the process has printed the text. */
  printed(text: string): Promise<void>;
}

/** The environment of a process of a group. */
export function rankEnv(rank: number, worldSize: number, port: number): Record<string, string> {
  return {
    RANK: String(rank),
    LOCAL_RANK: String(rank),
    WORLD_SIZE: String(worldSize),
    MASTER_ADDR: '127.0.0.1',
    MASTER_PORT: String(port),
    OMP_NUM_THREADS: '1',
  };
}

/** Starts a command as a process of a group. Lines of its output that begin with `@` are reports, in JSON. */
export function startCommand(file: string, args: string[], env: Record<string, string>): Rank {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  const waiting = new Map<string, () => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      for (const [wanted, resolve] of waiting) if (output.stdout.includes(wanted)) resolve();
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const lines = output.stdout.split('\n').filter((line) => line.startsWith('@'));
      resolve({ code, signal, ...output, reports: lines.map((line) => JSON.parse(line.slice(1))) });
    });
  });
  return {
    process: child,
    ended,
    output: () => output.stdout,
    printed: (text) =>
      new Promise((resolve, reject) => {
        waiting.set(text, resolve);
        if (output.stdout.includes(text)) resolve();
        ended.then(({ stderr }) => reject(new Error(`ended before '${text}': ${stderr}`)), reject);
      }),
  };
}

const PRELUDE = `
import * as dyconv from '${entry}';
const { arange, data, distributed, functional: F, full, isTensor, manualSeed, nn, ones, optim, randn, tensor, tidy, zeros } = dyconv;
const rank = Number(process.env.RANK);
const report = (value) => process.stdout.write('@' + JSON.stringify(value) + '\\n');
const values = (x) => x === null ? null : Array.isArray(x) ? x.map(values) : x.arraySync();
const failure = (error) => ({ name: error.name, code: error.code, reason: error.reason, ranks: error.ranks, message: error.message });
`;

/** The arguments of Node.js for an ES module of {@link startRank}. */
export const moduleArgs = (body: string) => ['--input-type=module', '--eval', PRELUDE + body];

/** Starts an ES module, which has the package as `dyconv`, its usual names, `rank`, `report`, `values` and `failure`. */
export function startRank(body: string, env: Record<string, string>): Rank {
  return startCommand(process.execPath, moduleArgs(body), env);
}

/** Starts the same module in all processes of a group. */
export async function startRanks(
  worldSize: number,
  body: string,
  env: Record<string, string> = {},
): Promise<Rank[]> {
  const port = await freePort();
  return Array.from({ length: worldSize }, (_, rank) =>
    startRank(body, { ...rankEnv(rank, worldSize, port), ...env }),
  );
}

/** Runs the module in all processes of a group, which must end with 0. Gives the reports of each. */
export async function runRanks(
  worldSize: number,
  body: string,
  env: Record<string, string> = {},
  // biome-ignore lint/suspicious/noExplicitAny: the values that the program of the test reports
): Promise<any[][]> {
  const ranks = await startRanks(worldSize, body, env);
  const all = await Promise.all(ranks.map(({ ended }) => ended));
  for (const { code, signal, stderr } of all)
    if (code !== 0) throw new Error(`A process ended with ${code ?? signal}: ${stderr}`);
  return all.map(({ reports }) => reports);
}
