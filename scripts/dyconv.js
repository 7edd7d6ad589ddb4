#!/usr/bin/env node
/**
 * The `dyconv` command of the package: `npx dyconv <command>` runs the script of that name. The commands that look
 * after the installation work where nothing else does.
 * @module
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { markBin } from './cli/invocation.js';

/** Commands by name: their script, and what they do. */
const COMMANDS = {
  setup: ['install.js', 'obtain libtorch and the native add-on'],
  doctor: ['doctor.js', 'say what is installed, what is wrong, and what mends it'],
  libtorch: ['libtorch.js', 'print the folder of libtorch'],
  demo: ['demo.js', 'train two networks on the bundled images'],
  train: ['train.js', 'train a model into a run directory'],
  evaluate: ['evaluate.js', 'accuracy, confusion matrix and predictions of a run'],
  predict: ['predict.js', 'classify pictures with the model of a run'],
  compare: ['compare.js', 'a table and a page of two or more runs'],
  summary: ['summary.js', 'the layers of a model'],
  data: ['data.js', 'what is in a data set, counted and drawn'],
  bench: ['bench.js', 'measure on this machine'],
};

const HELP = `Usage: npx dyconv <command> [options]

Commands:
${Object.entries(COMMANDS)
  .map(([name, [, text]]) => `  ${name.padEnd(10)}${text}`)
  .join('\n')}

npx dyconv <command> --help lists its options.`;

const [name, ...rest] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command) {
  markBin();
  process.argv = [process.argv[0], fileURLToPath(new URL(command[0], import.meta.url)), ...rest];
  await import(`./${command[0]}`).catch((error) => {
    // The package itself could not be loaded; its message names the command that mends that.
    if (error?.name !== 'NativeError') throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
} else if (name === '--version' || name === '-V') {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else if (name === '--help' || name === '-h' || name === 'help') {
  console.log(HELP);
} else {
  if (name !== undefined) await complainOf(name);
  console.error(HELP);
  process.exitCode = 1;
}

/** Names an unknown command, and the one that was probably meant. @param {string} unknown */
async function complainOf(unknown) {
  const commander = await import('commander').catch(() => null); // an installation that is not complete yet
  if (commander === null) return console.error(`error: unknown command '${unknown}'\n`);
  const program = new commander.Command('npx dyconv').exitOverride();
  for (const known of Object.keys(COMMANDS)) program.command(known);
  try {
    program.parse([unknown], { from: 'user' });
  } catch {
    console.error(); // commander has told it
  }
}
