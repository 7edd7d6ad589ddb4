/**
 * The table of cpp/bindings/background.cc.
 * @module
 */
import type { Handle } from './types.js';

/** Operations deferred to the compute thread: lib/tensor/background.ts. */
export interface BackgroundTable<T extends Handle> {
  openBackground(): void;
  closeBackground(): Promise<void>;
  abandonBackground(): void;
  /** Whether it is a result that is not computed yet. */
  isPending(input: T): boolean;
}
