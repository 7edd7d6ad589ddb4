/**
 * Types of libtorch on this machine.
 * @module
 */

/** Which build of libtorch. */
export type Flavour = 'cpu' | 'cuda';

/** A place that libtorch is fetched from: the official wheel, the official archive, or pip. */
export type SourceName = 'download' | 'zip' | 'pip';

/** The location of libtorch. */
export interface Libtorch {
  /** Absolute; holds `lib/` and `include/`. */
  dir: string;
  /** Such as `2.13.0`. */
  version: string;
  flavour: Flavour;
  /** Its source. */
  source: 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | 'cache' | SourceName;
}
