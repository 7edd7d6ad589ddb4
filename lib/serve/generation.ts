/**
 * The engine of a pool, and the batches that it runs.
 * @module
 */
import type { Engine } from './engine.js';

/** An engine and its batches: those of a replaced engine end before it is closed. */
export class Generation {
  readonly engine: Engine;
  #running = 0;
  #onIdle: (() => void)[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** A batch starts. */
  begin(): void {
    this.#running++;
  }

  /** A batch has ended. */
  end(): void {
    if (--this.#running > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no batch runs. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }
}
