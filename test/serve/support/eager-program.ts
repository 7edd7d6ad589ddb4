import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { nn, noGrad, type serve, type Tensor, tensor, tidy } from '../../../lib/index.js';

/** A program that computes with a module, in a later turn of the event loop. */
export class EagerProgram implements serve.PoolProgram {
  /** Rows of the batches that it ran. */
  readonly batches: number[] = [];
  /** Most batches that ran at once. */
  most = 0;
  /** Threads it was run with. */
  threads: (number | undefined)[] = [];
  disposed = 0;
  #running = 0;

  constructor(
    readonly model: nn.Module,
    readonly ms = 0,
    private readonly root?: EagerProgram,
  ) {}

  async run(
    input: serve.TensorInput,
    { signal, threads }: { signal?: AbortSignal | undefined; threads?: number | undefined } = {},
  ): Promise<Tensor> {
    const shared = this.root ?? this;
    const x = (input as Tensor).detach(); // The caller can dispose its handle at once.
    shared.most = Math.max(shared.most, ++shared.#running);
    try {
      if (this.ms > 0) await sleep(this.ms);
      else await nextTurn();
      signal?.throwIfAborted();
      shared.batches.push(x.shape[0]!);
      shared.threads.push(threads);
      return noGrad(() => tidy(() => this.model.forward(x)));
    } finally {
      x.dispose();
      shared.#running--;
    }
  }

  replicate(): EagerProgram {
    return new EagerProgram(this.model, this.ms, this.root ?? this);
  }

  dispose(): void {
    (this.root ?? this).disposed++;
  }

  loadStateDict(state: serve.StateDict): void {
    this.model.loadStateDict(state as Record<string, Tensor>);
  }
}

/** A linear layer with all weights `factor`: each output of [rows, 3] is `factor` times the sum of the row. */
export function sumTimes(factor: number): nn.Linear {
  const layer = new nn.Linear(3, 2, { bias: false });
  noGrad(() => layer.weight.fill_(factor));
  return layer;
}

/** One row, of 1, 2, 3 unless given. */
export const row = (...values: number[]): Tensor => tensor([values.length === 0 ? [1, 2, 3] : values]);

/** The values of a tensor, which it disposes. */
export function valuesOf(y: Tensor): unknown {
  using own = y;
  return own.arraySync();
}

/** The values that a request was answered with, or the code or name of its error. */
export function settled(promise: Promise<Tensor>): Promise<unknown> {
  return promise.then(valuesOf, (error: Error & { code?: string }) => error.code ?? error.name);
}
