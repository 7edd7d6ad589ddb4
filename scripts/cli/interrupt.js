/**
 * Ctrl-C that lets the current step finish.
 * @module
 */

/**
 * The first SIGINT or SIGTERM aborts the signal; the second ends the process at once.
 * @param {{ message: string | (() => string) }} options - Printed on stderr at the first signal.
 */
export function interruptible({ message }) {
  const controller = new AbortController();
  let exitCode = 130;
  /** @param {NodeJS.Signals} name */
  const onSignal = (name) => {
    exitCode = name === 'SIGTERM' ? 143 : 130;
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort();
    process.stderr.write(`\n${typeof message === 'string' ? message : message()}\n`);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    /** 128 plus the number of the signal that came, as shells expect it: 130 for Ctrl-C. */
    exitCode: () => exitCode,
    /**
     * The result of a promise, or null if it failed because of the signal.
     * @template T
     * @param {Promise<T>} promise
     * @returns {Promise<T | null>}
     */
    async unlessAborted(promise) {
      try {
        return await promise;
      } catch (error) {
        if (controller.signal.aborted) return null;
        throw error;
      }
    },
    /** Restores the default behavior of Ctrl-C. */
    release: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
