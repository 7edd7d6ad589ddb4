import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects the garbage of earlier tests, so that the counts of `memory()` do not fall during a test. */
export function collectGarbage(): void {
  gc();
}

/** The same including the finalizers of the add-on, which run in later turns of the event loop. */
export async function settleGarbage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc();
    await nextTurn();
  }
}
