/**
 * The pages of the documentation and their contents.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const inFolder = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${folder}/${name}`);

export const guides = inFolder('docs/guides');
export const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'THIRD_PARTY.md'],
  ...['examples/browser/README.md', 'examples/service/README.md'],
  ...inFolder('docs'),
  ...guides,
];

/** The code blocks of a language. */
export function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code!);
}

/** The lines of the shell blocks, without comments, single spaces. */
export function commandLines(page: string): string[] {
  return blocks(page, 'sh')
    .flatMap((code) => code.split('\n'))
    .map((line) => line.replace(/#.*/, '').replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
}

/** The commands in sentences, between backticks, single spaces. */
export function inlineCommands(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  return [...text.matchAll(/`([^`]+)`/g)]
    .map(([, code]) => code!.replace(/\s+/g, ' ').trim())
    .filter((code) => /^(?:[A-Z_]+=\S+ )*(?:node|npx|npm|pnpm|python3|sudo|pip|cmake|bash) \S/.test(code));
}

/** The options in the first column of a table. */
export function optionRows(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^\| `(--[^`]+)`/gm)].map(([, options]) => options!);
}
