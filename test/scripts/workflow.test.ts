/** The workflow file for CI hosts is not run here: the test checks that everything it calls exists. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { root } from '../docs/pages.js';

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, string | number>;
}
interface Job {
  'runs-on': string;
  'timeout-minutes': number;
  strategy?: { matrix: Record<'os' | 'node', (string | number)[]> & { exclude?: unknown } };
  env?: Record<string, string>;
  steps: Step[];
}

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const { jobs, on } = parse(read('.github/workflows/ci.yml')) as { jobs: Record<string, Job>; on: object };
const manifest = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** Programs of the hosts, and those that earlier steps install. */
const PROGRAMS = new Set(['sudo', 'apt-get', 'brew', 'mkdir', 'cd', 'echo', 'python3', 'cmake']);

const steps = Object.entries(jobs).flatMap(([job, { steps }]) => steps.map((step) => ({ job, ...step })));
const commands = steps.flatMap(({ job, run }) =>
  (run ?? '')
    .replace(/\\\n/g, ' ')
    .split(/\n|&&/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((command) => ({ job, command })),
);

/** Why a command cannot run; undefined if it can. */
function problemOf(command: string): string | undefined {
  const [program = '', ...args] = command.split(/\s+/);
  if (program === 'npm') {
    const [what = ''] = args;
    if (['ci', 'install'].includes(what)) return undefined;
    const script = what === 'run' ? args[1]! : what;
    return script in manifest.scripts ? undefined : `package.json has no script ${script}`;
  }
  if (program === 'npx') {
    return existsSync(join(root, 'node_modules', '.bin', args[0]!))
      ? undefined
      : `${args[0]} is no dependency`;
  }
  const file = program === 'node' || program === 'bash' ? args[0]! : program;
  if (file.includes('/')) {
    if (!existsSync(join(root, file))) return `${file} does not exist`;
    const executable = (statSync(join(root, file)).mode & 0o111) !== 0;
    return file !== program || executable ? undefined : `${file} is not executable`;
  }
  return PROGRAMS.has(program) ? undefined : `${program} is not known`;
}

it('runs for every push to main and every pull request', () => {
  expect(Object.keys(on)).toEqual(expect.arrayContaining(['push', 'pull_request']));
});

it('tests on Linux, macOS and Windows, each with Node.js 20, 22 and 24', () => {
  const { os, node, exclude } = jobs.test!.strategy!.matrix;
  for (const system of ['ubuntu', 'macos', 'windows'])
    expect(os.some((name) => String(name).startsWith(system))).toBe(true);
  expect(node).toEqual([20, 22, 24]);
  expect(exclude).toBeUndefined();
  expect(commands.filter(({ job }) => job === 'test').map(({ command }) => command)).toContain('npm test');
});

it('has a job for each statement of the documentation that one machine cannot check', () => {
  const of = (job: string) => commands.filter((entry) => entry.job === job).map(({ command }) => command);
  expect(of('sanitizer')).toContain('scripts/sanitize.sh');
  expect(of('node-gyp')).toEqual(expect.arrayContaining(['npx node-gyp rebuild', 'npx vitest run']));
  expect(of('one-binary').some((command) => command.startsWith('npm run test:package -- --node '))).toBe(
    true,
  );
});

describe.each(commands)('$job: $command', ({ command }) => {
  it('can be run', () => expect(problemOf(command)).toBeUndefined());
});

it.each(['npm run tets', 'npx vitset run', 'scripts/none.sh', 'node scripts/none.js', 'frobnicate'])(
  'a command that cannot be run is seen: %s',
  (command) => expect(problemOf(command)).toBeDefined(),
);

it('options and files that it names exist', () => {
  const text = read('.github/workflows/ci.yml');
  for (const [, option] of text.matchAll(/-D(DYCONV_\w+)=/g))
    expect(read('CMakeLists.txt')).toContain(option);
  for (const [, file] of text.matchAll(/hashFiles\('([^']+)'\)/g))
    expect(existsSync(join(root, file!))).toBe(true);
  const help = execFileSync(process.execPath, [join(root, 'scripts/test-package.js'), '--help'], {
    encoding: 'utf8',
  });
  expect(help).toContain('--node <paths...>');
  const documented = read('docs/guides/installation.md');
  for (const { env = {} } of Object.values(jobs))
    for (const name of Object.keys(env)) expect(documented).toContain(`\`${name}`);
});

it('pins the major version of every action, and bounds the time of every job', () => {
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  expect(actions.length).toBeGreaterThan(5);
  for (const action of actions) expect(action).toMatch(/^actions\/[\w-]+@v\d+$/);
  for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0);
});
