/**
 * Ctrl-C that lets the step under way finish.
 * @module
 */

/**
 * The first SIGINT or SIGTERM aborts the signal; the second ends the process at once.
 * @param {{ message: string }} options - Told on stderr at the first.
 * @returns {{ signal: AbortSignal, exitCode: () => number, release: () => void }} `exitCode` is 128 plus the number of
 *   the signal that came, as shells expect it; 130 for Ctrl-C.
 */
export function interruptible({ message }) {
  const controller = new AbortController();
  let exitCode = 130;
  /** @param {NodeJS.Signals} name */
  const onSignal = (name) => {
    exitCode = name === 'SIGTERM' ? 143 : 130;
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort();
    process.stderr.write(`\n${message}\n`);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    release: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
