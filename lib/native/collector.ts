/**
 * Garbage collections on request, for memory that JavaScript does not see.
 * @module
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NativeError } from '../errors.js';

/** The garbage collector of V8, without a command-line flag and without a global `gc`; under Bun, that of JavaScriptCore. */
export function collector(): (young: boolean) => void {
  const { Bun: bun } = globalThis as { Bun?: { gc(synchronous: boolean): void } };
  // It cannot collect only young objects.
  if (bun !== undefined) return () => bun.gc(true);
  type Collect = (options: { type: 'minor' | 'major' }) => void;
  let gc: Collect | undefined;
  // The flag is process-wide: a worker that loads the package at the same time may reset it in between.
  for (let attempt = 0; gc === undefined && attempt < 1000; attempt++) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('globalThis.gc') as Collect | undefined;
  }
  if (globalThis.gc === undefined) setFlagsFromString('--no-expose-gc');
  if (gc === undefined) throw new NativeError('Expected V8 to give its garbage collector but received none');
  const collect = gc;
  return (young) => collect({ type: young ? 'minor' : 'major' });
}
