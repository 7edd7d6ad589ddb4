/**
 * Telling a batch that nobody waits for it any more.
 * @module
 */

/**
 * Time that a canceled batch has to end. Most batches do, and replacing a worker thread takes longer than most batches; a
 * function that never returns must not keep its replica.
 */
export const GRACE_MS = 1000;

/** An AbortController whose signal is created on first use: this takes as long as the rest of a small batch. */
export class Cancellation {
  /** Called when the batch is canceled. */
  onCancel: (() => void) | undefined;
  /** Called when the batch was canceled and has not ended {@link GRACE_MS} later. */
  onGiveUp: (() => void) | undefined;
  #isCancelled = false;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

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
    if (this.onGiveUp !== undefined) this.#timer = setTimeout(this.onGiveUp, GRACE_MS);
  }

  /** The batch has ended: it is no longer abandoned. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
