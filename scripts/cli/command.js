/**
 * Defines commands, runs them by their script or by `npx dyconv`, and reports their errors.
 * @module
 */
import { Argument, Command } from 'commander';
import { addOptions, givenOptions, readOptions, TableOption } from './option-table.js';
import { guardOutput } from './output.js';
import { printable } from './printable.js';
import { printWarningsPlainly } from './warnings.js';

/** @import { OptionsOf, OptionTable } from './types.js' */

/**
 * What a command is run with: `args`, the arguments that are no options; `given`, the options on the command line;
 * `command`, for its name.
 * @template {OptionTable} T
 * @typedef {{ args: string[], given: Set<keyof T & string>, command: Command }} Invocation
 */

/**
 * @template {OptionTable} T
 * @typedef {object} CommandSpec
 * @property {string} name - Behind `npx dyconv`, or behind the command above it.
 * @property {string} [script] - The file in scripts/ that runs it. Default: `<name>.js`.
 * @property {string} description
 * @property {string[]} [examples] - What follows the name of the command; a line that begins with `npm ` is shown unchanged.
 * @property {{ name: string, description: string, choices?: readonly string[] }} [argument] - Its arguments.
 * @property {T} options
 * @property {string | ((command: Command) => string)} [notes] - More text for the help.
 * @property {string} [errorPrefix] - In front of errors. Default: `error`.
 * @property {(options: OptionsOf<T>, invocation: Invocation<T>) => Promise<number | void>} run - Returns the exit code; default 0.
 *   It imports what takes libtorch: help and complaints about the command line come at once.
 */

/** The scripts of commands. @type {WeakMap<Command, string>} */
const scripts = new WeakMap();

/**
 * A command with options from a table, and the package's way of help: description, options with defaults, examples.
 * @template {OptionTable} T
 * @param {CommandSpec<T>} spec
 */
export function defineCommand(spec) {
  const { name, script = `${name}.js`, description, examples = [], argument, options, notes } = spec;
  const command = described(new Command(name), { script, description, examples });
  addOptions(command, options);
  if (argument) addArgument(command, argument);
  if (notes !== undefined)
    command.addHelpText('after', () => `\n${typeof notes === 'string' ? notes : notes(command)}`);
  return command.action(() => execute(command, spec));
}

/**
 * A command of sub-commands, such as `bench`. Alone, it lists them.
 * @param {{ name: string, script?: string, description: string, examples?: string[], commands: Command[] }} spec
 */
export function defineGroup({ name, script = `${name}.js`, description, examples = [], commands }) {
  const group = described(new Command(name), { script, description, examples });
  for (const command of commands) group.addCommand(command);
  return group;
}

/**
 * The options and arguments of a script that is not a command of the package.
 * @template {OptionTable} T
 * @param {{ script: string, description: string, argument?: { name: string, description: string, choices?: readonly string[] }, options: T }} spec
 */
export function parseScript({ script, description, argument, options: table }) {
  const command = described(new Command(`node scripts/${script}`), { script, description, examples: [] });
  addOptions(command, table);
  if (argument) addArgument(command, argument);
  nameInErrors(command);
  command.parse();
  return { options: readOptions(command, table), args: command.args };
}

/** @param {Command} command @param {{ name: string, description: string, choices?: readonly string[] }} argument */
function addArgument(command, { name, description, choices }) {
  const argument = new Argument(name, description);
  command.addArgument(choices ? argument.choices(choices) : argument);
}

/** @param {Command} command @param {{ script: string, description: string, examples: string[] }} spec */
function described(command, { script, description, examples }) {
  scripts.set(command, script);
  command.description(description).helpOption('-h, --help', 'print this help');
  if (examples.length === 0) return command;
  return command.addHelpText('after', () => {
    const lines = examples.map(
      (line) => `  $ ${line.startsWith('npm ') ? line : `${nameOf(command)} ${line}`}`,
    );
    return `\nExamples:\n${lines.join('\n')}\n`;
  });
}

/**
 * Runs a command and reports its errors. An error of dyconv or of the file system is one line on stderr and exit code 1;
 * `DYCONV_DEBUG=1` adds the stack. Any other error is a bug and is printed with its stack.
 * @template {OptionTable} T
 * @param {Command} command - After parsing.
 * @param {CommandSpec<T>} spec
 */
async function execute(command, { options: table, errorPrefix: prefix, run }) {
  const options = readOptions(command, table);
  // Commander checks required options before unknown ones: for `--rnu` it would only report that `--run` is missing.
  for (const option of command.options) {
    if (
      option instanceof TableOption &&
      'required' in option.spec &&
      options[option.attributeName()] === undefined
    )
      command.error(`error: required option '${option.flags}' not specified`);
  }
  try {
    const given = givenOptions(command, table);
    process.exitCode = (await run(options, { args: command.args, given, command })) ?? 0;
  } catch (error) {
    console.error(formatError(error, { prefix }));
    process.exitCode = 1;
  }
}

/**
 * Runs a command as its script: `node scripts/train.js ...`.
 * @param {Command} command
 */
export async function runCommand(command) {
  command.name(`node scripts/${scripts.get(command)}`);
  await parse(command, command, process.argv.slice(2));
}

/**
 * Parses a command line and runs what it says.
 * @param {Command} program - At the top.
 * @param {Command | undefined} command - The one that the words name: the program, one below it, or none.
 * @param {string[]} words
 */
export async function parse(program, command, words) {
  guardOutput();
  printWarningsPlainly();
  if (command) nameInErrors(command);
  const isAlone = words.length === (command === program ? 0 : 1);
  // A group without a sub-command lists its sub-commands.
  if (command && isAlone && command.commands.length > 0) command.outputHelp();
  else await program.parseAsync(words, { from: 'user' });
}

/** Has errors of the command line name the command that lists its options. @param {Command} command */
function nameInErrors(command) {
  command.showHelpAfterError(`(${nameOf(command)} --help lists the options)`);
  for (const sub of command.commands) nameInErrors(sub);
}

/** A command as it can be typed here: `npx dyconv train`, or `node scripts/train.js`. @param {Command} command @returns {string} */
export function nameOf(command) {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

/** Another command as it can be typed here. @param {Command} command - The one that runs. @param {string} name */
export function nameOfOther(command, name) {
  return command.parent ? `${nameOf(command.parent)} ${name}` : `node scripts/${name}.js`;
}

/** The words on the command line after the name of a command. @param {Command} command */
export function wordsOf(command) {
  const words = process.argv.slice(2);
  return command.parent ? words.slice(words.indexOf(command.name()) + 1) : words;
}

/**
 * An error as text for a terminal.
 * @param {unknown} error
 * @param {{ prefix?: string | undefined, debug?: boolean }} [options] - `prefix`: default `error`.
 */
export function formatError(error, { prefix = 'error', debug = process.env.DYCONV_DEBUG === '1' } = {}) {
  return printable(errorText(error, prefix, debug), { lines: true });
}

/** @param {unknown} error @param {string} prefix @param {boolean} debug */
function errorText(error, prefix, debug) {
  if (!(error instanceof Error)) return `${prefix}: ${error}`;
  if ((isOurs(error) || 'syscall' in error) && !debug) return `${prefix}: ${error.message}`;
  const { stack = error.message, cause } = error;
  return `${prefix}: ${stack}${cause instanceof Error ? `\ncaused by: ${cause.stack}` : ''}`;
}

/** Whether an error is one of dyconv's, by the name of its class: commands that install the package cannot import it. @param {object} error */
function isOurs(error) {
  for (let at = error; at !== null; at = Object.getPrototypeOf(at)) {
    if (at.constructor?.name === 'DyconvError') return true;
  }
  return false;
}
