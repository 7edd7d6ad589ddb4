/**
 * Informs a recording which module's forward is running. Here and not in lib/nn, which imports this folder.
 * @module
 */

/** Runs a forward of a module. */
export type Visit = <Out>(module: object, forward: () => Out) => Out;

/** Called by every forward of a module; undefined without a recording, so that only this check costs time. */
export let visit: Visit | undefined;

/** Calls `body` while `around` runs every forward of a module. */
export function withVisits<Out>(around: Visit, body: () => Out): Out {
  const before = visit;
  visit = around;
  try {
    return body();
  } finally {
    visit = before;
  }
}
