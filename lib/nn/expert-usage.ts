/**
 * How dynamic layers use their experts: mean attention and its entropy, over the samples since the last reset.
 * @module
 */
import { ShapeError } from '../errors.js';
import { isCapturing } from '../runtime/cuda.js';
import { keep, noGrad, tidy } from '../tensor/context.js';
import { cat } from '../tensor/join.js';
import { native, type Tensor } from '../tensor/tensor.js';

/** The use of a dynamic layer's experts over its samples. */
export interface ExpertUsage {
  /** Mean attention of each expert; sums to 1 for softmax routing. */
  mean: number[];
  /** Mean entropy of the samples' attention, in nats: 0 if only one expert is used, ln K if all are used equally. */
  entropy: number;
  /** Number of samples. */
  samples: number;
  /** Experts whose mean attention is below 0.1 / K. */
  dead: number[];
}

/**
 * Number of attentions on a GPU that are kept before they are added to the sums, because reading one waits for the device. On the
 * CPU they are read at once and not kept.
 */
const PENDING = 64;

/** Accumulates the attention of a layer's forward passes. */
export class UsageMeter {
  readonly #numExperts: number;
  #pending: Tensor[] = [];
  #sums: number[];
  #entropy = 0;
  #samples = 0;

  constructor(numExperts: number) {
    this.#numExperts = numExperts;
    this.#sums = new Array<number>(numExperts).fill(0);
  }

  /** Records a forward pass, unless a CUDA graph or a program is being made of it. @param attention - [B, K]. */
  add(attention: Tensor): void {
    if (isCapturing() || native.isRecording()) return;
    if (native.isPending(attention)) {
      // Counted by read(), when it is computed.
      this.#pending.push(keep(attention.detach()));
      return;
    }
    if (attention.device === 'cpu') {
      this.#count(attention);
      return;
    }
    this.#pending.push(keep(attention.detach()));
    if (this.#pending.length >= PENDING) this.#fold();
  }

  reset(): void {
    for (const attention of this.#pending) attention.dispose();
    this.#pending = [];
    this.#sums = new Array<number>(this.#numExperts).fill(0);
    this.#entropy = 0;
    this.#samples = 0;
  }

  read(): ExpertUsage {
    this.#fold();
    const samples = this.#samples;
    const mean = this.#sums.map((sum) => (samples === 0 ? 0 : sum / samples));
    const share = mean.reduce((total, value) => total + value, 0) / this.#numExperts;
    const dead = mean.flatMap((value, expert) => (samples > 0 && value < share / 10 ? [expert] : []));
    return { mean, entropy: samples === 0 ? 0 : this.#entropy / samples, samples, dead };
  }

  #count(attention: Tensor): void {
    using plain = attention.detach();
    using wide = plain.to({ dtype: 'float32' });
    const experts = this.#numExperts;
    const [batch, columns] = wide.shape;
    if (columns !== experts)
      throw new ShapeError(`Expected attention of ${experts} experts but received ${columns}`);
    const values = wide.dataSync({ dtype: 'float32' });
    for (let i = 0; i < values.length; i++) {
      const share = values[i]!;
      this.#sums[i % experts]! += share;
      this.#entropy -= share * Math.log(Math.max(share, 1e-12));
    }
    this.#samples += batch!;
  }

  #fold(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    tidy(() =>
      noGrad(() => {
        const all = cat(pending).to({ dtype: 'float64' });
        const sums = all.sum({ dim: 0 }).dataSync({ dtype: 'float64' });
        for (let k = 0; k < sums.length; k++) this.#sums[k]! += sums[k]!;
        const negative = all.mul(all.clamp({ min: 1e-12 }).log()).sum();
        this.#entropy -= Number(negative.item());
        this.#samples += all.shape[0]!;
      }),
    );
    for (const attention of pending) attention.dispose();
  }
}
