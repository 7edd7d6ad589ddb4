/**
 * Appends to a file in order without waiting for each write.
 * @module
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError } from '../files/error.js';

/** A file that grows; it is opened by the first write, and again by the first one after {@link close}. */
export class AppendFile {
  readonly #path: string;
  readonly #pending: Uint8Array[] = [];
  #file: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #error: unknown;

  /** @param path - Its folder is created if necessary. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Adds bytes; they are written soon. An error is reported by {@link flush} and {@link close}. */
  add(bytes: Uint8Array): void {
    this.#pending.push(bytes);
    this.#writing ??= this.#write();
  }

  /** @throws CheckpointError if something could not be written. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw fileError('write', this.#path, error);
  }

  /** Writes what is left and closes the file. @throws CheckpointError if something could not be written. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#file?.close();
      this.#file = undefined;
    }
  }

  async #write(): Promise<void> {
    try {
      if (this.#file === undefined) {
        await mkdir(dirname(this.#path), { recursive: true });
        this.#file = await open(this.#path, 'a');
      }
      while (this.#pending.length > 0) await this.#file.appendFile(Buffer.concat(this.#pending.splice(0)));
    } catch (error) {
      this.#pending.length = 0;
      this.#error ??= error;
    } finally {
      this.#writing = undefined;
    }
  }
}
