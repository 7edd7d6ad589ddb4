/** The examples in the comments of lib/, which the API reference contains, compile. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { root } from './pages.js';

/** Variables that examples use without declaring them. */
const GIVEN = `
import { writeFile } from 'node:fs/promises';
declare const model: nn.Module;
declare const optimizer: optim.SGD;
declare const loader: data.Loader, trainLoader: data.Loader, valLoader: data.Loader;
declare const clothes: data.InMemoryDataset;
declare const classes: string[], scheduler: optim.lr.StepLR, epoch: number;
declare const ddp: distributed.DistributedDataParallel, parts: ConstructorParameters<typeof train.Trainer>[0];
declare const images: Tensor, labels: Tensor, first: Tensor, second: Tensor, moreLabels: Tensor;
declare const x: Tensor, target: Tensor, next: Tensor, loss: Tensor;
declare const trainer: train.Trainer, config: train.RunConfig, environment: train.RunEnvironment;
declare function serveSomeRequests(): Promise<void>;
`;

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);
const examples = files.sort().flatMap((file) => {
  const text = readFileSync(join(root, 'lib', file), 'utf8');
  return [...text.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm)].map(([, block], index) => ({
    name: `${file.replace(/\W/g, '-')}-${index + 1}.ts`,
    code: block!.replace(/^ *\* ?/gm, ''),
  }));
});

const folder = join(root, 'test', 'docs', '.reference-examples');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The exported names of the package as imports; types separately, since a name may be both. */
function importOf(options: ts.CompilerOptions): string {
  const index = join(root, 'lib', 'index.ts');
  const program = ts.createProgram([index], options);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(index)!)!);
  return `import { ${exported.map(({ name }) => name).join(', ')}, functional as F } from 'dyconv';`;
}

it('are there, and compile', { timeout: limit(120_000) }, () => {
  expect(examples.length).toBeGreaterThanOrEqual(29);
  const file = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {}, file);
  const own = {
    ...options,
    ...{ noEmit: true, rootDir: root, noUnusedLocals: false, verbatimModuleSyntax: false },
    paths: { dyconv: [join(root, 'lib', 'index.ts')] },
  };
  const head = `${importOf(own)}${GIVEN}`;
  mkdirSync(folder, { recursive: true });
  // Inside a function: an example may declare its own `train` or `x`.
  for (const { name, code } of examples)
    writeFileSync(join(folder, name), `${head}export async function example() {\n${code}}\n`);
  const program = ts.createProgram(
    examples.map(({ name }) => join(folder, name)),
    own,
  );
  const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
    const text = diagnostic.file?.text.split('\n')[line];
    return `${diagnostic.file?.fileName}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}: ${text}`;
  });
  expect(problems).toEqual([]);
});
