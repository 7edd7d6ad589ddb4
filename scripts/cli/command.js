/**
 * What every command shares: how it is declared, and how its errors reach the user.
 * @module
 */
import { Command } from 'commander';
import { DyconvError } from '../../dist/errors.js';
import { asInvoked } from './invocation.js';

/**
 * A command with the package's way of help: description, options with defaults, examples.
 * @param {string} name - As it is typed, such as `node scripts/train.js`.
 * @param {string} description
 * @param {string[]} examples - Command lines.
 */
export function createCommand(name, description, examples) {
  const shown = asInvoked(name);
  return new Command(shown)
    .description(description)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`(${shown} --help lists the options)`)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${asInvoked(line)}`).join('\n')}\n`);
}

/**
 * Parses the command line and runs the command. What takes libtorch is imported by `main`: help and complaints about the
 * command line come at once. An error of ours, or of the file system, is one line on stderr and exit
 * code 1; `DYCONV_DEBUG=1` adds the stack. Anything else is a bug and shows its stack always.
 * @param {Command} command
 * @param {(options: any, command: Command) => Promise<number | void>} main - Returns the exit code; default 0.
 */
export async function runCommand(command, main) {
  process.stdout.on('error', endOnClosedPipe);
  command.action(async () => {
    try {
      process.exitCode = (await main(command.opts(), command)) ?? 0;
    } catch (error) {
      console.error(formatError(error));
      process.exitCode = 1;
    }
  });
  await command.parseAsync();
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
 * @param {unknown} error
 * @param {boolean} [debug]
 */
export function formatError(error, debug = process.env.DYCONV_DEBUG === '1') {
  if (!(error instanceof Error)) return `error: ${error}`;
  const expected = error instanceof DyconvError || 'syscall' in error;
  if (expected && !debug) return `error: ${error.message}`;
  const { stack = error.message, cause } = error;
  return `error: ${stack}${cause instanceof Error ? `\ncaused by: ${cause.stack}` : ''}`;
}

/** `train.js | head` closes our output: that is no error. @param {NodeJS.ErrnoException} error */
function endOnClosedPipe(error) {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
