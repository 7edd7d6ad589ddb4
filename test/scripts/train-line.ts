/** The options of train.js, parsed in this process as the command does it. */
import { Command } from 'commander';
import type { format, Transform } from '../../lib/data/transforms.js';

export type Options = Record<string, unknown>;
export type Table = Record<string, object>;
export const load = (path: string) => import(new URL(`../../${path}`, import.meta.url).href);
export const script = (name: string) => load(`scripts/cli/${name}.js`);
export const { TRAIN_OPTIONS } = (await script('train-options')) as { TRAIN_OPTIONS: Table };
export const { addOptions, configFields, defaultsOf, givenOptions, optionsOfConfig, readOptions } =
  (await script('option-table')) as {
    addOptions: (command: Command, table: Table) => Command;
    configFields: (table: Table, options: Options) => Options;
    defaultsOf: (table: Table) => Options;
    givenOptions: (command: Command, table: Table) => Set<string>;
    optionsOfConfig: (table: Table, config: object) => Options;
    readOptions: (command: Command, table: Table) => Options;
  };
export const { checkTogether } = (await script('option-checks')) as {
  checkTogether: (options: Options, given: Set<string>) => void;
};
export const { applyRecipe, epochWarning } = (await script('recipe')) as {
  applyRecipe: (options: Options, given: Set<string>) => Options;
  epochWarning: (config: object) => string | null;
};
export const { augmentation } = (await script('augmentation')) as {
  augmentation: (config: object) => { transform: Transform; mix?: object[] };
};
export const { configOf, resumedConfig } = (await script('config')) as {
  configOf: (options: Options, sets: object) => Options;
  resumedConfig: (config: Options, options: Options, given: Set<string>) => Options;
};
export const { data } = (await load('dist/index.js')) as { data: { transforms: { format: typeof format } } };

/** The parsed options, and which of them are on the command line. */
export function parsed(words: string[]) {
  const command = addOptions(new Command(), TRAIN_OPTIONS).parse(words, { from: 'user' });
  return { options: readOptions(command, TRAIN_OPTIONS), given: givenOptions(command, TRAIN_OPTIONS) };
}

/** Facts of a set: two of three images are of class a. */
export const SET = {
  ...{ length: 1500, classes: ['a', 'b'], shape: [3, 32, 32] },
  labels: Uint8Array.from({ length: 1500 }, (_, i) => (i % 3 === 2 ? 1 : 0)),
};
/** The configuration of a new run. */
export const configFor = (...words: string[]) =>
  configOf(parsed(['--device', 'cpu', ...words]).options, { trainSet: SET, valSet: SET });
