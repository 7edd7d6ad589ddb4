/**
 * The error classes of dyconv. Every error the package throws on purpose is one of these, so that a caller can tell
 * a wrong shape from a broken file with `instanceof` or with the stable {@link DyconvError.code}.
 * The messages share one grammar: `Expected <what> for <name> but received <value>`.
 * @module
 */

/** Base class of every error thrown by dyconv. */
export class DyconvError extends Error {
  /** Stable, machine-readable identifier such as `ERR_SHAPE`. */
  readonly code: string = 'ERR_DYCONV';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An argument of the wrong kind or outside its range: an unknown option, a string where a number belongs. */
export class ArgumentError extends DyconvError {
  override readonly code: string = 'ERR_ARGUMENT';
}

/** Sizes that do not fit together, or a dimension that does not exist. */
export class ShapeError extends DyconvError {
  override readonly code: string = 'ERR_SHAPE';
}

/** A dtype an operation does not take, or dtypes that do not match. */
export class DTypeError extends DyconvError {
  override readonly code: string = 'ERR_DTYPE';
}

/** A device that is absent, or tensors on different devices. */
export class DeviceError extends DyconvError {
  override readonly code: string = 'ERR_DEVICE';
}

/** A tensor used after `dispose()`. */
export class DisposedError extends DyconvError {
  override readonly code: string = 'ERR_DISPOSED';
}

/** Anything else that failed inside libtorch or the add-on, out of memory included. */
export class NativeError extends DyconvError {
  override readonly code: string = 'ERR_NATIVE';
}

/** A checkpoint or weight file that is damaged, or that does not fit the model. */
export class CheckpointError extends DyconvError {
  override readonly code: string = 'ERR_CHECKPOINT';
}

/** A data set that is missing, truncated, or not what its name promises. */
export class DatasetError extends DyconvError {
  override readonly code: string = 'ERR_DATASET';
}

/** A download that failed for good: no network, a refused request, a wrong size or checksum. */
export class DownloadError extends DyconvError {
  override readonly code: string = 'ERR_DOWNLOAD';
}

/** Training that cannot go on, such as a loss that is no longer finite. */
export class TrainingError extends DyconvError {
  override readonly code: string = 'ERR_TRAINING';
}

/** Something that another process uses now: a run directory in which it trains, a folder of the cache that it fills. */
export class LockedError extends DyconvError {
  override readonly code: string = 'ERR_LOCKED';
  /** The process, where its lock file names it. */
  readonly owner:
    | { readonly pid: number; readonly host: string; readonly since?: string | undefined }
    | undefined;

  constructor(message: string, owner: LockedError['owner'], options?: ErrorOptions) {
    super(message, options);
    this.owner = owner;
  }
}

/** A gradient that {@link autograd.gradcheck} found to differ from the numeric one. */
export class GradcheckError extends DyconvError {
  override readonly code: string = 'ERR_GRADCHECK';
}

/**
 * A value as an error message shows it: short, and with its type where that is not obvious. Runs nothing of the value's
 * own that could fail the message.
 */
export function describe(value: unknown): string {
  try {
    return describeValue(value);
  } catch {
    return 'an object that cannot be looked at';
  }
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string')
    return `'${value.length > 60 ? `${value.slice(0, 57)}...` : value}' (string)`;
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`;
  if (typeof value === 'bigint') return `${value}n (bigint)`;
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => (typeof item === 'object' ? '...' : String(item)));
    return `[${items.join(', ')}${value.length > 8 ? ', ...' : ''}] (array)`;
  }
  const { name } = (value as object).constructor ?? {};
  return typeof name === 'string' && name !== '' ? `${name} (object)` : 'an object';
}

/** The one sentence for a bad argument: `Expected <expected> for <name> but received <value>`. */
export function invalidArgument(name: string, expected: string, received: unknown): ArgumentError {
  return new ArgumentError(`Expected ${expected} for ${name} but received ${describe(received)}`);
}
