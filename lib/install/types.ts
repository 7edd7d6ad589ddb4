/**
 * The report of the doctor.
 * @module
 */

interface Line {
  /** The checked part, such as `libtorch`. */
  name: string;
  detail: string;
}

/** One line of the doctor. Every problem comes with a fix: the command to run, or the one thing to do. */
export type Finding =
  | (Line & { status: 'ok' | 'info'; fix?: string | undefined })
  // `error`: dyconv does not work. `warning`: something will not work, such as a build.
  | (Line & { status: 'warning' | 'error'; fix: string });
