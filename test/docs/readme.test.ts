/**
 * The documentation is correct: its TypeScript examples compile against lib/ and print what their comments say,
 * its command lines use existing options, and its links have a target.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import sharp from 'sharp';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { models, saveSafetensors, setNumThreads } from '../../lib/index.js';
import { madeUpConfig } from '../report/support/made-up-runs.js';
import { limit } from '../support/limit.js';
import { hasOnnxruntime, onnxruntimeFolder } from '../support/onnxruntime.js';
import { blocks, commandLines, pages, root } from './pages.js';

// Inside the project, so that vitest compiles lib/ for them; git ignores it.
const examplesFolder = join(root, 'test', 'docs', '.examples');

const examples = pages.flatMap((page) =>
  blocks(page, 'ts').map((code, index) => ({
    file: `${basename(page, '.md')}-${index + 1}.ts`,
    code,
  })),
);

/** Examples with onnxruntime-node, which is no dependency. */
const withRuntime = examples.filter(({ code }) => code.includes("from 'onnxruntime-node'"));
const onnxruntime = join(onnxruntimeFolder, 'node_modules', 'onnxruntime-node');
const onnxruntimeTypes = join(onnxruntime, 'dist', 'index.d.ts');

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

/** A run directory with random weights. */
async function writeRun(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`);
  const config = { ...madeUpConfig(), classes, imageShape: [3, 32, 32] };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const state = models.create(config.model, config.modelOptions).stateDict();
  await saveSafetensors(join(folder, 'best.safetensors'), state);
}

/** The expected output of console.log(), from the comments after it. */
function promised(code: string): string[] {
  return [...code.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text!);
}

describe('the TypeScript examples', () => {
  const home = process.cwd();
  const work = mkdtempSync(join(tmpdir(), 'dyconv-readme-'));

  beforeAll(async () => {
    setNumThreads(1); // small networks; other test files run at the same time
    mkdirSync(examplesFolder, { recursive: true });
    for (const { file, code } of examples) writeFileSync(join(examplesFolder, file), code);
    await writeRun(join(work, 'runs', 'dy'));
    await sharp({ create: { width: 50, height: 40, channels: 3, background: '#a33' } })
      .jpeg()
      .toFile(join(work, 'photo.jpg'));
    // A worker, whose imports vitest does not transform, uses the built package.
    mkdirSync(join(work, 'node_modules'));
    symlinkSync(root, join(work, 'node_modules', 'dyconv'), 'junction');
    if (hasOnnxruntime) symlinkSync(onnxruntime, join(work, 'node_modules', 'onnxruntime-node'), 'junction');
    process.chdir(work);
  });

  afterAll(() => {
    process.chdir(home);
    rmSync(examplesFolder, { recursive: true, force: true });
    rmSync(work, { recursive: true, force: true });
  });

  it('are there', () => {
    expect(examples.length).toBeGreaterThanOrEqual(12);
    for (const { code } of examples) expect(promised(code)).not.toEqual([]);
  });

  it('compile', { timeout: limit(180_000) }, () => {
    const file = join(root, 'tsconfig.json');
    const { config } = ts.readConfigFile(file, ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {}, file);
    const known = hasOnnxruntime ? examples : examples.filter((example) => !withRuntime.includes(example));
    const paths = { dyconv: [join(root, 'lib', 'index.ts')], 'onnxruntime-node': [onnxruntimeTypes] };
    const program = ts.createProgram(
      known.map(({ file }) => join(examplesFolder, file)),
      { ...options, noEmit: true, rootDir: root, paths },
    );
    const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
      return `${diagnostic.file?.fileName}:${line + 1} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
    });
    expect(problems).toEqual([]);
  });

  // Worker threads cannot load lib/, which vitest compiles: these examples run as a process with the package.
  const withWorkers = examples.filter(({ code }) => /createPool\(\{\s*module:/.test(code));

  /** Runs an example as it is, with the built package. */
  const printAsProcess = ({ file, code }: (typeof examples)[number]) => {
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const runnable = join(work, file.replace(/\.ts$/, '.mjs'));
    writeFileSync(runnable, outputText);
    const { stdout, stderr, status } = spawnSync(process.execPath, [runnable], {
      cwd: work,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    expect(stdout.trimEnd().split('\n')).toEqual(promised(code));
  };

  it.each(withWorkers)('print what their comments say: $file', printAsProcess);

  it.skipIf(!hasOnnxruntime).each(withRuntime)(
    'print what their comments say: $file (needs onnxruntime-node)',
    printAsProcess,
  );

  it.each(examples.filter((example) => ![...withWorkers, ...withRuntime].includes(example)))(
    'print what their comments say: $file',
    async ({ file, code }) => {
      const lib = pathToFileURL(join(root, 'lib', 'index.ts')).pathname;
      const { outputText } = ts.transpileModule(code.replaceAll(`from 'dyconv'`, `from '${lib}'`), {
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
    },
  );
});

describe.each(pages)('the command lines of %s', (page) => {
  const lines = commandLines(page);

  it('name options that exist', () => {
    const scripts = lines
      .map((line) =>
        /\bnode (scripts\/[\w-]+\.js)\s*(.*)$/.exec(
          line.replace(/\bnpx dyconv (?!setup)([\w-]+)/, 'node scripts/$1.js'),
        ),
      )
      .filter((m) => m !== null);
    // What follows the script of `launch` is the command line of that script.
    const launched = scripts.flatMap(([line, script, rest]) => {
      const [, own, inner, arguments_] = /^(.*?)(\S+\.js)(.*)$/.exec(rest!) ?? [];
      if (script !== 'scripts/launch.js' || inner === undefined) return [[line, script, rest] as const];
      const launch = [line, script, own!] as const;
      return inner.startsWith('scripts/') ? [launch, [line, inner, arguments_!.trim()] as const] : [launch];
    });
    for (const [line, script, rest] of launched) {
      const subcommand =
        /^[a-z-]+(?=\s|$)/.exec(rest!)?.slice(0, script === 'scripts/bench.js' ? 1 : 0) ?? [];
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

/** The anchors of the headings of a page, as GitHub generates them. */
function anchors(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

it.each(pages)('the links of %s have a target', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|<img src="([^"]+)"/g)].map(
    ([, link, image]) => (link ?? image)!,
  );
  for (const target of targets.filter((target) => !/^https?:/.test(target))) {
    const [path, anchor] = target.split('#');
    const file = path === '' ? join(root, page) : join(root, page, '..', path!);
    expect(existsSync(file), target).toBe(true);
    if (anchor !== undefined) expect(anchors(file), target).toContain(anchor);
  }
});
