/**
 * Output whose reader has closed the pipe, or that cannot be written. A command continues: `| head` must not stop a training.
 * The exit code reports lost output.
 * @module
 */

/** What shells report for a program that wrote to a closed pipe: 128 + SIGPIPE. */
const CLOSED_PIPE = 141;

let code = 0;

/** Whether output was lost: a command that only prints may stop. */
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

/** Later writes fail as well: only the first failure is reported. @param {NodeJS.ErrnoException} error @param {string} name */
function lost(error, name) {
  if (isOutputLost()) return;
  code = error.code === 'EPIPE' ? CLOSED_PIPE : 1;
  if (name === 'standard output' && code === 1)
    process.stderr.write(`error: cannot write to ${name}: ${error.message}; output is lost from here on\n`);
}
