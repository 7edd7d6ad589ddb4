/**
 * A small seeded random generator for orders and choices in JavaScript. Augmentation has its own in C++.
 * @module
 */

/**
 * sfc32 (Chris Doty-Humphrey's Small Fast Counting generator, from PractRand), seeded with any number of integers.
 * The same seeds give the same sequence on every machine.
 */
export class Random {
  readonly #state: Uint32Array;

  /** @param seeds - Integers; both halves of those above 32 bits count. */
  constructor(...seeds: readonly number[]) {
    this.#state = new Uint32Array([0x9e3779b9, 0x243f6a88, 0xb7e15162, 1]);
    for (const seed of seeds) {
      this.#state[0]! ^= seed >>> 0;
      this.#state[1]! ^= Math.floor(seed / 2 ** 32) >>> 0;
      for (let i = 0; i < 15; i++) this.uint32();
    }
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    const s = this.#state;
    const a = s[0]!;
    const b = s[1]!;
    const c = s[2]!;
    const counter = s[3]!;
    const result = (a + b + counter) >>> 0;
    s[3] = counter + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + result;
    return result;
  }

  /** A uniformly distributed integer from 0 to `bound - 1` (by rejection). */
  below(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % bound;
    }
  }

  /** A number in [0, 1), of 53 bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** A number of the standard normal distribution (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log1p(-this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A number of the beta distribution with both parameters `alpha`. */
  beta(alpha: number): number {
    const [x, y] = [this.#logGamma(alpha), this.#logGamma(alpha)];
    // Logarithms, because for a small alpha both numbers may underflow.
    return 1 / (1 + Math.exp(y - x));
  }

  /** `count` numbers of the symmetric Dirichlet distribution with parameter `alpha`; their sum is 1. */
  dirichlet(alpha: number, count: number): number[] {
    const logs = Array.from({ length: count }, () => this.#logGamma(alpha));
    const most = Math.max(...logs);
    const parts = logs.map((log) => Math.exp(log - most));
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map((part) => part / sum);
  }

  /** The logarithm of a gamma variate (Marsaglia and Tsang, A Simple Method for Generating Gamma Variables, 2000). */
  #logGamma(shape: number): number {
    if (shape < 1) return this.#logGamma(shape + 1) + Math.log1p(-this.uniform()) / shape;
    const d = shape - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v <= 0) continue;
      if (Math.log1p(-this.uniform()) < 0.5 * x * x + d * (1 - v + Math.log(v)))
        return Math.log(d) + Math.log(v);
    }
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<T extends { length: number; [index: number]: number }>(values: T): T {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = values[i]!;
      values[i] = values[j]!;
      values[j] = kept;
    }
    return values;
  }
}
