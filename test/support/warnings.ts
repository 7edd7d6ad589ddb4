import { setImmediate as turn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** Collects the package's process warnings until the end of the test; the function returns their messages so far. */
export function collectWarnings(): () => Promise<string[]> {
  const messages: string[] = [];
  const listener = (warning: Error) => {
    if (warning.name === 'DyconvWarning') messages.push(warning.message);
  };
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return async () => {
    await turn(); // they are emitted in a later turn
    return messages;
  };
}
