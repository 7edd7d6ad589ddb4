/**
 * The spelling of pages, comments and messages is American, as in PyTorch, and pages use plain words. Names in code are not checked: some British ones
 * are public (`flavour`, a key of files and of `libtorch --json`).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './pages.js';

/** Stems of verbs in -ize, and the endings after -is. */
const STEMS =
  'author|capital|categor|character|custom|emphas|equal|factor|final|general|initial|item|linear|local|maxim|memor|' +
  'minim|modern|normal|optim|organ|parallel|penal|priorit|quant|random|raster|real|recogn|regular|serial|special|stabil|' +
  'standard|summar|synchron|token|util|vector|visual';
const BRITISH = new RegExp(
  `\\b(?:(?:de|pre|re|un)?(?:${STEMS})is(?:e[ds]?|ers?|ing|ations?|able)|` +
    '(?:behavi|col|fav|hon|neighb)our(?:s|ed|ful|ing|ite|able)?|grey\\w*|(?<!test-)artefacts?|' +
    'centre[ds]?|licen[c]e[ds]?|labell(?:ed|ing)|cancell(?:ed|ing)|modell(?:ed|ing)|signall(?:ed|ing)|spelt|learnt|' +
    'analyse[drs]?|towards|whilst|amongst)\\b(?!=)',
  'gi',
);

/** Phrases that pages have plainer words for: forever, separate, its own, again, unchanged, images. */
const FORBIDDEN =
  /\b(?:for ever|of (?:its|their) own|by itself|anew|once more|hence|what is there|and the like|(?:is|are) no (?:integer|number)s?|pictures?|takes? in)\b/gi;

const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});
const files = stdout
  .split('\n')
  .filter(
    (file) =>
      /\.(?:ts|js|mjs|md|cc|h|cu|py|sh|yml)$/.test(file) && !/^docs\/results\/|english\.test\.ts$/.test(file),
  );

/** What people read in a file: all of a page but names in backticks and links; comments and messages of code. */
function prose(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  if (file.endsWith('.md')) return text.replace(/`[^`\n]+`|\]\([^)]*\)/g, ' ');
  const comment = /\.(?:py|sh|yml)$/.test(file)
    ? /#[^\n]*|"""[\s\S]*?"""/g
    : /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*|(?<quote>['"`])(?:\\.|(?!\k<quote>)[^\\\n])*\k<quote>/gm;
  return [...text.matchAll(comment)]
    .filter(([found]) => /\s/.test(found))
    .map(([found]) => found.replace(/(?<!^)`[^`\n]+`|\$\{[^}]*\}/g, ' '))
    .join('\n');
}

it('pages have no phrases that plainer words replace', () => {
  const found = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
      const words = text.replace(/`[^`]+`|\]\([^)]*\)/g, ' ');
      return [...words.matchAll(FORBIDDEN)].map(([phrase]) => `${file}: ${phrase}`);
    });
  expect(found).toEqual([]);
});

it('finds British spelling', () => {
  const text =
    'Normalised colours of the neighbours: initialisers raise a promise otherwise; depthwise licences, precise';
  expect(text.match(BRITISH)).toEqual(['Normalised', 'colours', 'neighbours', 'initialisers', 'licences']);
});

it('pages, comments and messages have American spelling', () => {
  expect(files.length).toBeGreaterThan(1000);
  const found = files.flatMap((file) =>
    [...prose(file).matchAll(BRITISH)].map(([word]) => `${file}: ${word}`),
  );
  expect(found).toEqual([]);
});
