/**
 * The settings of the service: environment variables with defaults.
 * @module
 */

/**
 * An integer of the environment.
 * @template {number | undefined} T
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name
 * @param {{ initial: T, min?: number, max?: number }} range `initial`: the default.
 * @returns {number | T}
 */
function integer(env, name, { initial, min = 0, max = Number.MAX_SAFE_INTEGER }) {
  const text = env[name];
  if (text === undefined || text === '') return initial;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`Expected an integer from ${min} to ${max} for ${name} but received '${text}'`);
}

/**
 * Reads the settings. README.md has a table of them.
 * @param {NodeJS.ProcessEnv} env
 * @throws {RangeError} naming a variable whose value is invalid.
 */
export function readSettings(env) {
  return {
    /** The run directory of the network. */
    runDirectory: env.RUN_DIR || 'runs/dy',
    checkpoint: env.CHECKPOINT || 'best',
    host: env.HOST || '127.0.0.1',
    port: integer(env, 'PORT', { initial: 3000, max: 65_535 }),
    logLevel: env.LOG_LEVEL || 'info',
    replicas: integer(env, 'REPLICAS', { initial: 1, min: 1, max: 64 }),
    /** `undefined`: the cores divided by the replicas. */
    threadsPerReplica: integer(env, 'THREADS_PER_REPLICA', { initial: undefined, min: 1, max: 1024 }),
    batching: {
      maxBatch: integer(env, 'MAX_BATCH', { initial: 16, min: 1, max: 1024 }),
      maxDelayMs: integer(env, 'MAX_DELAY_MS', { initial: 0, max: 1000 }),
      maxQueue: integer(env, 'MAX_QUEUE', { initial: 64, min: 1, max: 100_000 }),
    },
    /** Size of an uploaded file, in bytes. */
    maxBytes: integer(env, 'MAX_BYTES', { initial: 8 * 2 ** 20, min: 1, max: 2 ** 30 }),
    /** Width times height: a small file can hold an image of gigabytes. */
    maxPixels: integer(env, 'MAX_PIXELS', { initial: 50_000_000, min: 1 }),
    /** For the answer, after the image has been received. */
    timeoutMs: integer(env, 'TIMEOUT_MS', { initial: 5000, min: 1, max: 3_600_000 }),
    /** For receiving the whole request. */
    uploadTimeoutMs: integer(env, 'UPLOAD_TIMEOUT_MS', { initial: 30_000, min: 1, max: 3_600_000 }),
    /** Between the signal to stop and the end of new connections: the time that a load balancer needs to notice. */
    drainDelayMs: integer(env, 'DRAIN_DELAY_MS', { initial: 0, max: 600_000 }),
    /** For the answers to accepted requests after the signal to stop. */
    stopTimeoutMs: integer(env, 'STOP_TIMEOUT_MS', { initial: 25_000, min: 1, max: 600_000 }),
  };
}

/** @typedef {ReturnType<typeof readSettings>} Settings */
