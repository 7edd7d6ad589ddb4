/**
 * Output that nobody reads any more, or that cannot be written. A command goes on with its work: a training must not end
 * because `| head` has seen enough. The exit code tells that output was lost.
 * @module
 */

/** What shells report for a program that wrote to a closed pipe: 128 + SIGPIPE. */
const CLOSED_PIPE = 141;

let code = 0;

/** Whether text was lost: a command that does nothing but print may stop. */
export function isOutputLost() {
  return code !== 0;
}

/**
 * Keeps errors of stdout and stderr from ending the process. A process that would exit with code 0 exits with 141 if the
 * reader of a pipe went away, and with 1 if output could not be written for another reason, such as a full disk.
 */
export function guardOutput() {
  for (const [stream, name] of /** @type {const} */ ([
    [process.stdout, 'standard output'],
    [process.stderr, 'standard error'],
  ])) {
    stream.on('error', (/** @type {NodeJS.ErrnoException} */ error) => lost(error, name));
  }
  process.on('exit', (status) => {
    if (status === 0 && code !== 0) process.exitCode = code;
  });
}

/** Every later write fails again: only the first is of interest. @param {NodeJS.ErrnoException} error @param {string} name */
function lost(error, name) {
  if (isOutputLost()) return;
  code = error.code === 'EPIPE' ? CLOSED_PIPE : 1;
  if (name === 'standard output' && code === 1)
    process.stderr.write(`error: cannot write to ${name}: ${error.message}; output is lost from here on\n`);
}
