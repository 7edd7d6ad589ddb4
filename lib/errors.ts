/**
 * The error classes of dyconv. Every error that the package throws deliberately is one of these, so that a caller can distinguish
 * a wrong shape from a damaged file with `instanceof` or with the stable {@link DyconvError.code}.
 * All messages have the form `Expected <what> for <name> but received <value>`.
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

/** An argument of the wrong type or out of range, or an unknown option. */
export class ArgumentError extends DyconvError {
  override readonly code: string = 'ERR_ARGUMENT';
}

/** Incompatible sizes, or a dimension that does not exist. */
export class ShapeError extends DyconvError {
  override readonly code: string = 'ERR_SHAPE';
}

/** A dtype that an operation does not support, or dtypes that do not match. */
export class DTypeError extends DyconvError {
  override readonly code: string = 'ERR_DTYPE';
}

/** A device that is not available, or tensors on different devices. */
export class DeviceError extends DyconvError {
  override readonly code: string = 'ERR_DEVICE';
}

/** A tensor used after `dispose()`. */
export class DisposedError extends DyconvError {
  override readonly code: string = 'ERR_DISPOSED';
}

/** Any other error of libtorch or the add-on, including lack of memory. */
export class NativeError extends DyconvError {
  override readonly code: string = 'ERR_NATIVE';
}

/** A checkpoint or weight file that is damaged, or that does not fit the model. */
export class CheckpointError extends DyconvError {
  override readonly code: string = 'ERR_CHECKPOINT';
}

/** A data set that is missing, damaged, or different from what was requested. */
export class DatasetError extends DyconvError {
  override readonly code: string = 'ERR_DATASET';
}

/** An address from which a file could not be downloaded. */
export interface DownloadAttempt {
  /** The address. */
  readonly url: string;
  /** Such as a status, a wrong checksum, or a timeout. */
  readonly reason: string;
}

/** A failed download: no network, a rejected request, a wrong size or checksum. */
export class DownloadError extends DyconvError {
  override readonly code: string = 'ERR_DOWNLOAD';
  /** The addresses that were tried, with the reason of each; empty if none was. */
  readonly attempts: readonly DownloadAttempt[];

  constructor(message: string, options?: ErrorOptions, attempts: readonly DownloadAttempt[] = []) {
    super(message, options);
    this.attempts = attempts;
  }
}

/** Training that cannot continue, for example because the loss is not finite. */
export class TrainingError extends DyconvError {
  override readonly code: string = 'ERR_TRAINING';
}

/** A resource that another process is using: the run directory of its training, or a folder of the cache that it fills. */
export class LockedError extends DyconvError {
  override readonly code: string = 'ERR_LOCKED';
  /** The process, if its lock file names it. */
  readonly owner:
    | { readonly pid: number; readonly host: string; readonly since?: string | undefined }
    | undefined;

  constructor(message: string, owner: LockedError['owner'], options?: ErrorOptions) {
    super(message, options);
    this.owner = owner;
  }
}

/** A request that a pool refuses because its queue is full. In a service: HTTP status 503. */
export class OverloadedError extends DyconvError {
  override readonly code: string = 'ERR_OVERLOADED';
  /** Estimated milliseconds until the queue has space, from the duration of recent batches: a value for `Retry-After`. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A request to a pool that was not answered within its `timeoutMs`. In a service: HTTP status 504. */
export class RequestTimeoutError extends DyconvError {
  override readonly code: string = 'ERR_TIMEOUT';
}

/** A swap of a pool that did not end within its `timeoutMs`. The message says what it waited for. */
export class SwapTimeoutError extends DyconvError {
  override readonly code: string = 'ERR_SWAP';
  /** Whether the pool uses the new network: only batches of the old one had not ended. */
  readonly hasReplaced: boolean;

  constructor(message: string, hasReplaced: boolean, options?: ErrorOptions) {
    super(message, options);
    this.hasReplaced = hasReplaced;
  }
}

/** A request to a pool after `close()`. In a service: HTTP status 503. */
export class PoolClosedError extends DyconvError {
  override readonly code: string = 'ERR_CLOSED';
}

/** A request whose worker thread ended before it answered, also at the second attempt. */
export class WorkerError extends DyconvError {
  override readonly code: string = 'ERR_WORKER';
}

/**
 * Why communication failed. `'timeout'`: an answer did not come in time. `'connection'`: a connection could not be made, or was
 * lost. `'mismatch'`: the processes differ in world size, versions, models or calls. `'closed'`: the group was destroyed, or its
 * thread ended, while the call was waiting.
 */
export type DistributedReason = 'timeout' | 'connection' | 'mismatch' | 'closed';

/** A failure of the communication between the processes of a group. */
export class DistributedError extends DyconvError {
  override readonly code: string = 'ERR_DISTRIBUTED';
  /** The kind of failure. */
  readonly reason: DistributedReason;
  /** The ranks that are known to have caused it, in ascending order; empty if the cause is not known. */
  readonly ranks: readonly number[];

  constructor(
    message: string,
    reason: DistributedReason,
    ranks: readonly number[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.reason = reason;
    this.ranks = ranks;
  }
}

/** A gradient that {@link autograd.gradcheck} found to differ from the numeric one. */
export class GradcheckError extends DyconvError {
  override readonly code: string = 'ERR_GRADCHECK';
}

/**
 * A value as text for an error message: short, and with its type if that is not obvious. Calls no methods of the value
 * that could throw.
 */
export function describe(value: unknown): string {
  try {
    return describeValue(value);
  } catch {
    return 'an object that cannot be inspected';
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

/** The error for a bad argument: `Expected <expected> for <name> but received <value>`. */
export function invalidArgument(name: string, expected: string, received: unknown): ArgumentError {
  return new ArgumentError(`Expected ${expected} for ${name} but received ${describe(received)}`);
}
