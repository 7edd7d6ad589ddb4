/** The `dyconv` command: help, unknown names, and completion in shells. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const bin = fileURLToPath(new URL('../../scripts/dyconv.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dyconv-bin-'));

function dyconv(...args: string[]) {
  return spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', cwd: folder });
}

const COMMANDS = [
  'setup',
  'doctor',
  'libtorch',
  'demo',
  'train',
  'launch',
  'evaluate',
  'predict',
  'export',
  'compare',
  'reproduce',
  'summary',
  'data',
  'gpu-check',
];

describe('help', () => {
  it.each([...COMMANDS, 'bench'])('of %s names itself as it is typed', (name) => {
    for (const { status, stdout } of [dyconv('help', name), dyconv(name, '--help')]) {
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: npx dyconv ${name} `));
      expect(stdout).not.toContain('node scripts/');
    }
  });

  it('of a benchmark', () => {
    expect(dyconv('help', 'bench', 'layer').stdout).toMatch(/^Usage: npx dyconv bench layer /);
    expect(dyconv('bench', 'layer', '--help').stdout).toMatch(/^Usage: npx dyconv bench layer /);
  });

  it('lists the commands', () => {
    const listed = dyconv('help').stdout;
    for (const name of [...COMMANDS, 'bench', 'help', 'completion']) expect(listed).toMatch(`\n  ${name} `);
    expect(dyconv('--help').stdout).toBe(listed);
    const { status, stderr } = dyconv();
    expect(status).toBe(1);
    expect(stderr).toBe(listed);
  });

  it('of an unknown command suggests the one that was probably meant', () => {
    const { status, stderr } = dyconv('help', 'tarin');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: unknown command 'tarin'\n\(Did you mean train\?\)/);
  });

  it('names the shells where another is asked for', () => {
    const { status, stderr } = dyconv('completion', 'tcsh');
    expect(status).toBe(1);
    expect(stderr).toMatch(/'tcsh' is invalid.*Allowed choices are bash, zsh, fish/);
  });
});

/** The completions of a shell for the last word of a command line. */
const OFFERS: Record<string, (script: string, words: string[]) => string[]> = {
  bash: (script, words) => {
    const program = `source ${script}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _dyconv; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return shell('bash', ['--norc', '-c', program]);
  },
  fish: (script, words) => {
    const program = `source ${script}; complete -C '${words.join(' ')}'`;
    return shell('fish', ['--no-config', '-c', program]).map((line) => line.split('\t')[0]!);
  },
  // _arguments only works in the line editor: a test of its answers would need a pseudo-terminal.
  zsh: (script) =>
    shell('zsh', [
      '-f',
      '-c',
      `autoload -U compinit; compinit -u -d ${script}.dump; source ${script}; whence _dyconv`,
    ]),
};

function shell(name: string, args: string[]): string[] {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', cwd: folder });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim().split('\n').sort();
}

const isThere = (name: string) => spawnSync(name, ['--version']).error === undefined;

describe.each(['bash', 'fish'])('completion in %s', (name) => {
  const script = join(folder, `dyconv.${name}`);
  const offers = (...words: string[]) => OFFERS[name]!(script, ['dyconv', ...words]);

  it.runIf(isThere(name))('offers commands, options and their values', { timeout: limit(30_000) }, () => {
    writeFileSync(script, dyconv('completion', name).stdout);
    writeFileSync(join(folder, 'photo.png'), '');
    expect(offers('')).toEqual([...COMMANDS, 'bench', 'completion', 'help'].sort());
    expect(offers('tr')).toEqual(['train']);
    expect(offers('train', '--mod')).toEqual(['--model', '--model-options']);
    expect(offers('train', '--resume', '--warm')).toEqual(['--warmup-epochs']);
    expect(offers('train', '--model', 'alexnet-')).toEqual(['alexnet-dy', 'alexnet-wide']);
    expect(offers('train', '--schedule', 'c')).toEqual(['constant', 'cosine']);
    expect(offers('predict', '--run', 'runs', 'pho')).toEqual(['photo.png']);
    expect(offers('train', '--epochs', 'pho')).toEqual(['']);
    expect(offers('bench', 'la')).toEqual(['layer']);
    expect(offers('bench', 'layer', '--exp')).toEqual(['--experts']);
    expect(offers('bench', 'train', '--resu')).toEqual(['']);
    expect(offers('help', 'ev')).toEqual(['evaluate']);
    expect(offers('completion', 'z')).toEqual(['zsh']);
  });
});

it.runIf(isThere('zsh'))('completion in zsh is a script that zsh takes, with every option', () => {
  const script = join(folder, 'dyconv.zsh');
  const text = dyconv('completion', 'zsh').stdout;
  writeFileSync(script, text);
  expect(OFFERS.zsh!(script, [])).toEqual(['_dyconv']);
  for (const part of ['--model=[network to train]:value:(alexnet alexnet-dy)', '--resume[', '--experts=['])
    expect(text).toContain(part);
});
