import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects what earlier tests let go of, so that the counts of `memory()` do not sink while a test looks at them. */
export function collectGarbage(): void {
  gc();
}
