/**
 * Types that several modules of the installation share: which libtorch there is, and what the doctor reports.
 * @module
 */

/** Which build of libtorch. */
export type Flavour = 'cpu' | 'cuda';

/** A place that libtorch is fetched from: the official wheel, the official archive, or pip. */
export type SourceName = 'download' | 'zip' | 'pip';

/** Where libtorch is. */
export interface Libtorch {
  /** Absolute; holds `lib/` and `include/`. */
  dir: string;
  /** Such as `2.13.0`. */
  version: string;
  flavour: Flavour;
  /** How it was found. */
  source: 'LIBTORCH' | 'LIBTORCH_USE_PYTORCH' | 'cache' | SourceName;
}

interface Line {
  /** What was looked at, such as `libtorch`. */
  name: string;
  detail: string;
}

/** One line of the doctor. Every problem comes with a fix: the command to run, or the one thing to do. */
export type Finding =
  | (Line & { status: 'ok' | 'info'; fix?: string | undefined })
  // `error`: dyconv does not work. `warning`: something will not work, such as a build.
  | (Line & { status: 'warning' | 'error'; fix: string });
