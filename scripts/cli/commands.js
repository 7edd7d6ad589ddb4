/**
 * The commands of `npx dyconv`. Each is loaded when it is called: those that install the package work where the others
 * cannot be loaded.
 * @module
 */

import { requireDist } from './start.js';

/** @import { Command } from 'commander' */

/**
 * `load` imports the definition. `compiles`: the command compiles lib/ itself if dist/ is missing.
 * @typedef {{ summary: string, compiles?: boolean, load: () => Promise<{ command: Command }> }} Entry
 */

/** Commands by name. @type {Readonly<Record<string, Entry>>} */
export const COMMANDS = {
  setup: {
    summary: 'obtain libtorch and the native add-on',
    compiles: true,
    load: () => import('../commands/setup.js'),
  },
  doctor: {
    summary: 'report what is installed, what is wrong and how to fix it',
    compiles: true,
    load: () => import('../commands/doctor.js'),
  },
  libtorch: {
    summary: 'print the folder of libtorch',
    compiles: true,
    load: () => import('../commands/libtorch.js'),
  },
  demo: { summary: 'train two networks on the bundled images', load: () => import('../commands/demo.js') },
  train: { summary: 'train a model into a run directory', load: () => import('../commands/train.js') },
  launch: {
    summary: 'start a script in several processes that train together',
    load: () => import('../commands/launch.js'),
  },
  evaluate: {
    summary: 'accuracy, confusion matrix and predictions of a run',
    load: () => import('../commands/evaluate.js'),
  },
  predict: {
    summary: 'classify images with the model of a run',
    load: () => import('../commands/predict.js'),
  },
  export: {
    summary: 'write the network of a run for other programs',
    load: () => import('../commands/export.js'),
  },
  compare: {
    summary: 'compare runs in a table and a report page',
    load: () => import('../commands/compare.js'),
  },
  reproduce: {
    summary: "train the article's networks with several seeds and compare them with the article",
    load: () => import('../commands/reproduce.js'),
  },
  summary: { summary: 'list the layers of a model', load: () => import('../commands/summary.js') },
  data: { summary: 'count and show the images of a data set', load: () => import('../commands/data.js') },
  'gpu-check': {
    summary: 'test and measure dyconv on an NVIDIA GPU within a given time',
    load: () => import('../commands/gpu-check.js'),
  },
  bench: { summary: 'measure the performance of this machine', load: () => import('../commands/bench.js') },
};

/** A command with its summary. @param {string} name - Of {@link COMMANDS}. */
export async function loadCommand(name) {
  const entry = COMMANDS[name];
  if (!entry) throw new Error(`Expected one of ${Object.keys(COMMANDS).join(', ')} but received ${name}`);
  if (!entry.compiles) requireDist();
  return (await entry.load()).command.summary(entry.summary);
}

/** All commands. @returns {Promise<Command[]>} */
export function loadCommands() {
  return Promise.all(Object.keys(COMMANDS).map(loadCommand));
}
