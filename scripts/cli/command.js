/**
 * What every command shares: how it is declared, and how its errors reach the user.
 * @module
 */
import { Command } from 'commander';
import { asInvoked, isCollected } from './invocation.js';
import { guardOutput } from './output.js';
import { printable } from './printable.js';

/**
 * A command with the package's way of help: description, options with defaults, examples.
 * @param {string} name - As it is typed, such as `node scripts/train.js`.
 * @param {string} description
 * @param {string[]} [examples] - Command lines.
 */
export function createCommand(name, description, examples = []) {
  const shown = asInvoked(name);
  const command = new Command(shown)
    .description(description)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`(${shown} --help lists the options)`);
  if (examples.length === 0) return command;
  const lines = examples.map((line) => `  $ ${asInvoked(line)}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}\n`);
}

/**
 * Parses the command line and runs the command. What takes libtorch is imported by `main`: help and complaints about the
 * command line come at once. An error of ours, or of the file system, is one line on stderr and exit
 * code 1; `DYCONV_DEBUG=1` adds the stack. Anything else is a bug and shows its stack always.
 * @param {Command} command - Without an action: one is added; sub-commands have theirs from {@link guarded}.
 * @param {Main} [main] - Absent for a command of sub-commands.
 * @param {{ prefix?: string }} [options] - `prefix`: in front of errors. Default: `error`.
 */
export async function runCommand(command, main, options) {
  if (isCollected(command)) return;
  guardOutput();
  if (main) command.action(guarded(command, main, options));
  await command.parseAsync();
}

/** @typedef {(options: any, command: Command) => Promise<number | void>} Main - Returns the exit code; default 0. */

/**
 * The action of a command: runs `main` and reports its errors.
 * @param {Command} command
 * @param {Main} main
 * @param {{ prefix?: string }} [options]
 */
export function guarded(command, main, { prefix = 'error' } = {}) {
  return async () => {
    try {
      process.exitCode = (await main(command.opts(), command)) ?? 0;
    } catch (error) {
      console.error(formatError(error, { prefix }));
      process.exitCode = 1;
    }
  };
}

/**
 * Ends the command unless an option was given. Commander's own required options are checked before misspelt ones: then
 * whoever types `--rnu` would only hear that `--run` is missing.
 * @param {Command} command
 * @param {string} flags - As declared.
 */
export function requireOption(command, flags) {
  const option = command.options.find((candidate) => candidate.flags === flags);
  if (option && command.opts()[option.attributeName()] === undefined) {
    command.error(`error: required option '${flags}' not specified`);
  }
}

/**
 * An error as text for a terminal.
 * @param {unknown} error
 * @param {{ prefix?: string, debug?: boolean }} [options]
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
