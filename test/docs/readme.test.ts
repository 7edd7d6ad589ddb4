/**
 * The README does what it says: its TypeScript examples compile against lib/ and print what their comments promise, its
 * command lines use options that exist, its links lead somewhere.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { models, saveSafetensors, setNumThreads } from '../../lib/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/training.md',
  'docs/memory.md',
  'docs/architecture.md',
  'THIRD_PARTY.md',
];
// Inside the project, so that vitest compiles lib/ for them; git ignores it.
const examplesFolder = join(root, 'test', 'docs', '.examples');

function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code!);
}

const examples = blocks('README.md', 'ts').map((code, index) => ({ file: `example-${index + 1}.ts`, code }));

const knownOptions = new Map<string, string[]>();

/** The options in the help of a command. */
function optionsOf(script: string, subcommand: string[]): string[] {
  const key = [script, ...subcommand].join(' ');
  const known = knownOptions.get(key);
  if (known) return known;
  const args = [join(root, script), ...subcommand, '--help'];
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const options = [...stdout.matchAll(/^\s+(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name!);
  knownOptions.set(key, options);
  return options;
}

/** What the comments behind console.log() say it prints. */
function promised(code: string): string[] {
  return [...code.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text!);
}

describe('the TypeScript examples', () => {
  const home = process.cwd();
  const work = mkdtempSync(join(tmpdir(), 'dyconv-readme-'));

  beforeAll(async () => {
    setNumThreads(1); // small networks, beside other test files
    mkdirSync(examplesFolder, { recursive: true });
    for (const { file, code } of examples) writeFileSync(join(examplesFolder, file), code);
    // The run that one of them serves.
    mkdirSync(join(work, 'runs', 'dy'), { recursive: true });
    const weights = models.create('alexnet-dy', { numClasses: 10 }).stateDict();
    await saveSafetensors(join(work, 'runs', 'dy', 'best.safetensors'), weights);
    process.chdir(work);
  });

  afterAll(() => {
    process.chdir(home);
    rmSync(examplesFolder, { recursive: true, force: true });
    rmSync(work, { recursive: true, force: true });
  });

  it('are there', () => {
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const { code } of examples) expect(promised(code)).not.toEqual([]);
  });

  it('compile', () => {
    const file = join(root, 'tsconfig.json');
    const { config } = ts.readConfigFile(file, ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {}, file);
    const program = ts.createProgram(
      examples.map(({ file }) => join(examplesFolder, file)),
      { ...options, noEmit: true, rootDir: root, paths: { dyconv: [join(root, 'lib', 'index.ts')] } },
    );
    const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
      return `${diagnostic.file?.fileName}:${line + 1} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
    });
    expect(problems).toEqual([]);
  });

  it.each(examples)('print what they promise: $file', async ({ file, code }) => {
    const lib = pathToFileURL(join(root, 'lib', 'index.ts')).pathname;
    const { outputText } = ts.transpileModule(code.replaceAll(`'dyconv'`, `'${lib}'`), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const runnable = join(examplesFolder, file.replace(/\.ts$/, '.mjs'));
    writeFileSync(runnable, outputText);
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
      printed.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '));
    });
    try {
      await import(/* @vite-ignore */ runnable);
    } finally {
      log.mockRestore();
    }
    expect(printed).toEqual(promised(code));
  });
});

describe.each(pages)('the command lines of %s', (page) => {
  const lines = blocks(page, 'sh')
    .flatMap((code) => code.split('\n'))
    .map((line) => line.replace(/#.*/, '').trim());

  it('name options that exist', () => {
    const scripts = lines
      .map((line) => /\bnode (scripts\/[\w-]+\.js)\s*(.*)$/.exec(line))
      .filter((m) => m !== null);
    for (const [line, script, rest] of scripts) {
      const subcommand = /^[a-z]+(?=\s|$)/.exec(rest!)?.slice(0, script === 'scripts/bench.js' ? 1 : 0) ?? [];
      const known = optionsOf(script!, subcommand);
      for (const [used] of rest!.matchAll(/--[\w-]+/g)) expect(known, line).toContain(used);
    }
  });

  it('name scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const line of lines) {
      const name = /\bnpm (?:run )?(?!run\b|install\b|ci\b|rebuild\b)([\w:]+)/.exec(line)?.[1];
      if (name) expect(Object.keys(scripts), line).toContain(name);
    }
  });
});

it.each(pages)('the links of %s lead to files that exist', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const target of targets.filter((target) => !/^https?:/.test(target))) {
    if (target.startsWith('#')) expect(headings).toContain(target.slice(1));
    else expect(existsSync(join(root, page, '..', target.replace(/#.*/, ''))), target).toBe(true);
  }
});
