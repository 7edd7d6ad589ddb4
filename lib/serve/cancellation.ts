/**
 * Telling a batch that nobody waits for it any more.
 * @module
 */

/** An AbortController whose signal is made only if somebody asks for it: it takes as long as the rest of a small batch. */
export class Cancellation {
  /** Called when the batch is cancelled. */
  onCancel: (() => void) | undefined;
  #isCancelled = false;
  #controller: AbortController | undefined;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isCancelled) this.#controller.abort();
    return this.#controller.signal;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#controller?.abort();
    this.onCancel?.();
  }
}
