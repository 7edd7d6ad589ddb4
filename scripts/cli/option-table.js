/**
 * Makes the options of commander (parsing, help, completion) and the fields of a run's configuration from a table of options.
 * @module
 */
import { Option } from 'commander';

/** @import { Command } from 'commander' */
/** @import { ConfigFields, OptionSpec, OptionsOf, OptionTable } from './types.js' */

/** An option of commander with its entry in the table. */
export class TableOption extends Option {
  /** @param {string} name @param {OptionSpec} spec */
  constructor(name, spec) {
    super(flagsOf(name, spec), spec.help);
    this.spec = spec;
    if (spec.group !== undefined) this.helpGroup(spec.group);
    if (spec.hidden) this.hideHelp();
    if ('flag' in spec) return;
    const { type, list } = spec;
    // For help and completion: the parser below replaces that of the choices.
    if (type.choices) this.choices([...type.choices]);
    this.argParser((text, previous) =>
      list ? [...(Array.isArray(previous) ? previous : []), type.parse(text)] : type.parse(text),
    );
    if (spec.default !== undefined) this.default(spec.default, spec.shownDefault);
  }
}

/** Declares the options of a table. @param {Command} command @param {OptionTable} table */
export function addOptions(command, table) {
  for (const [name, spec] of Object.entries(table)) command.addOption(new TableOption(name, spec));
  return command;
}

/** `batchSize` as `--batch-size <n>`. @param {string} name @param {OptionSpec} spec */
function flagsOf(name, spec) {
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if ('flag' in spec) return spec.flag === 'negated' ? `--no-${kebab}` : `--${kebab}`;
  return `--${kebab} <${spec.value}${spec.list ? '...' : ''}>`;
}

/** The flag of an option without its value, such as `--batch-size`. @param {string} name @param {OptionSpec} spec */
export function flagOf(name, spec) {
  return flagsOf(name, spec).split(' ')[0] ?? '';
}

/**
 * Lists options under a heading in the help.
 * @template {OptionTable} T
 * @param {string} group
 * @param {T} table
 * @returns {T}
 */
export function inGroup(group, table) {
  const entries = Object.entries(table).map(([name, spec]) => [name, { ...spec, group: `${group}:` }]);
  return Object.fromEntries(entries);
}

/**
 * The values of all options where none is given.
 * @template {OptionTable} T
 * @param {T} table
 * @returns {OptionsOf<T>}
 */
export function defaultsOf(table) {
  const entries = Object.entries(table).map(([name, spec]) => [name, defaultOf(spec)]);
  return Object.fromEntries(entries);
}

/** @param {OptionSpec} spec */
function defaultOf(spec) {
  return 'flag' in spec ? spec.flag === 'negated' : spec.default;
}

/**
 * The values of all options on a command line, or their defaults.
 * @template {OptionTable} T
 * @param {Command} command - After parsing.
 * @param {T} table
 * @returns {OptionsOf<T>}
 */
export function readOptions(command, table) {
  return { ...defaultsOf(table), ...command.opts() };
}

/**
 * The options on a command line.
 * @template {OptionTable} T
 * @param {Command} command - After parsing.
 * @param {T} table
 * @returns {Set<keyof T & string>}
 */
export function givenOptions(command, table) {
  return new Set(Object.keys(table).filter((name) => command.getOptionValueSource(name) === 'cli'));
}

/**
 * The fields of a configuration that options make. An option that was left out is null; so is an object with such a member.
 * @template {OptionTable} T
 * @param {T} table
 * @param {OptionsOf<T>} options
 * @returns {ConfigFields<T>}
 */
export function configFields(table, options) {
  /** @type {Record<string, unknown>} */
  const fields = {};
  for (const [name, { config }] of Object.entries(table)) {
    if (config === undefined) continue;
    const value = options[name] ?? null;
    const [field = '', member] = config.split('.');
    if (member === undefined) fields[field] = value;
    else if (value === null) fields[field] = null;
    else if (fields[field] !== null) fields[field] = { ...fields[field], [member]: value };
  }
  return /** @type {ConfigFields<T>} */ (fields);
}

/**
 * The options that a configuration was made of. What it does not have, as one of an older run, is the option's default.
 * @template {OptionTable} T
 * @param {T} table
 * @param {object} config
 * @returns {Partial<OptionsOf<T>>} Options that a configuration keeps.
 */
export function optionsOfConfig(table, config) {
  const entries = Object.entries(table).flatMap(([name, spec]) => {
    if (spec.config === undefined) return [];
    /** @type {unknown} */
    let value = config;
    for (const key of spec.config.split('.'))
      value = /** @type {Record<string, unknown> | null | undefined} */ (value)?.[key];
    return [[name, value === null ? undefined : (value ?? defaultOf(spec))]];
  });
  return Object.fromEntries(entries);
}
