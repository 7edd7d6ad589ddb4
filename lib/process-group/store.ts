/**
 * The key-value store of a process group.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, checkString, checkStrings, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { WorldHandle } from '../native/distributed.js';
import { native } from '../tensor/tensor.js';

/** Options of {@link Store.get} and {@link Store.wait}. */
export interface StoreWaitOptions {
  /** Maximum wait in milliseconds. Default: that of the process group. */
  timeoutMs?: number | undefined;
}

const WAIT_KEYS = optionKeys('timeoutMs');

/** The store closes the connection of a process that sends more. */
const MAX_KEY_BYTES = 8000;
const MAX_VALUE_BYTES = 8 * 2 ** 20;
const MAX_KEYS = 100_000;

function bytesOf(name: string, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  if (!(bytes instanceof Uint8Array)) throw invalidArgument(name, 'a string or a Uint8Array', value);
  if (bytes.length <= MAX_VALUE_BYTES) return bytes;
  throw new ArgumentError(
    `Expected at most ${MAX_VALUE_BYTES} bytes for ${name} but received ${bytes.length}`,
  );
}

function checkLength(name: string, key: string): string {
  const length = Buffer.byteLength(key);
  if (length <= MAX_KEY_BYTES) return key;
  throw new ArgumentError(`Expected at most ${MAX_KEY_BYTES} bytes for ${name} but received ${length}`);
}

const key = (name: string) => checkLength('key', checkString(name, 'key'));

function keys(names: readonly string[]): string[] {
  const all = checkStrings(names, 'keys', 'an array of strings');
  if (all.length > MAX_KEYS)
    throw new ArgumentError(`Expected at most ${MAX_KEYS} strings for keys but received ${all.length}`);
  return all.map((name, i) => checkLength(`keys[${i}]`, name));
}

/**
 * A key-value store that all processes of a group share. Rank 0 stores the values; the others access them over the network.
 * Keys that begin with `dyconv/`, and those of PyTorch, are reserved for the groups. A key has at most 8,000 bytes, and a value
 * 8 MiB. Every method can fail with a {@link DistributedError}.
 * @see https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.Store
 */
export class Store {
  readonly #world: WorldHandle;
  readonly #timeoutMs: number;

  /** @internal */
  constructor(world: WorldHandle, timeoutMs: number) {
    this.#world = world;
    this.#timeoutMs = timeoutMs;
  }

  /** The port that the store listens on: that of `masterPort`, or the free one that was taken for 0. */
  get port(): number {
    return native.worldPort(this.#world);
  }

  /** Sets the value of a key; a string is stored as UTF-8. */
  async set(name: string, value: string | Uint8Array): Promise<void> {
    await native.storeSet(this.#world, key(name), bytesOf('value', value));
  }

  /** The value of a key. Waits until it is set. @throws DistributedError with the reason `'timeout'` */
  async get(name: string, options: StoreWaitOptions = {}): Promise<Buffer> {
    const { timeoutMs = this.#timeoutMs } = checkOptions(options, WAIT_KEYS);
    return native.storeGet(this.#world, key(name), integer('timeoutMs', timeoutMs, 1));
  }

  /** Waits until all keys have values. @throws DistributedError with the reason `'timeout'` */
  async wait(names: readonly string[], options: StoreWaitOptions = {}): Promise<void> {
    const { timeoutMs = this.#timeoutMs } = checkOptions(options, WAIT_KEYS);
    await native.storeWait(this.#world, keys(names), integer('timeoutMs', timeoutMs, 1));
  }

  /**
   * Adds an integer to the integer of a key, initially 0, atomically.
   * @returns The sum.
   * @throws ArgumentError if the value of the key is not an integer.
   */
  async add(name: string, amount: number): Promise<number> {
    const sum = integer('amount', amount, Number.MIN_SAFE_INTEGER);
    // The store would close the connection of this process.
    if (await native.storeCheck(this.#world, [key(name)])) {
      const text = (await native.storeGet(this.#world, name, this.#timeoutMs)).toString();
      if (!/^-?\d+$/.test(text))
        throw new ArgumentError(`Expected a key whose value is an integer for key but received '${name}'`);
    }
    return native.storeAdd(this.#world, key(name), sum);
  }

  /**
   * Sets a key to `desired` if its value is `expected`, atomically. A key without a value is set if `expected` is empty.
   * @returns The value afterwards.
   */
  async compareSet(
    name: string,
    expected: string | Uint8Array,
    desired: string | Uint8Array,
  ): Promise<Buffer> {
    return native.storeCompareSet(
      this.#world,
      key(name),
      bytesOf('expected', expected),
      bytesOf('desired', desired),
    );
  }

  /** Whether all keys have values. */
  async check(names: readonly string[]): Promise<boolean> {
    return native.storeCheck(this.#world, keys(names));
  }

  /** Deletes a key. @returns Whether it had a value. */
  async deleteKey(name: string): Promise<boolean> {
    return native.storeDeleteKey(this.#world, key(name));
  }
}
