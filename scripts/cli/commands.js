/**
 * The commands of `npx dyconv`.
 * @module
 */
import { collectCommands } from './invocation.js';

/** Commands by name: their script, and what they do. @type {Readonly<Record<string, readonly [script: string, summary: string]>>} */
export const COMMANDS = {
  setup: ['install.js', 'obtain libtorch and the native add-on'],
  doctor: ['doctor.js', 'say what is installed, what is wrong, and what fixes it'],
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

/** Runs the script of a command; it reads `process.argv`. @param {string} name */
export async function runScript(name) {
  await import(`../${COMMANDS[name]?.[0]}`);
}

/**
 * The commands as commander knows them, by name.
 * @returns {Promise<[name: string, command: import('commander').Command][]>}
 */
export async function declaredCommands() {
  const names = Object.keys(COMMANDS);
  const declared = await collectCommands(async () => {
    for (const name of names) await runScript(name);
  });
  return declared.map((command, index) => [/** @type {string} */ (names[index]), command]);
}
