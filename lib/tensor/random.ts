/**
 * Random numbers in place, and samples from distributions given by a tensor, with the generator of `manualSeed`.
 * @see https://pytorch.org/docs/stable/torch.html#in-place-random-sampling
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { native, type Tensor } from './core.js';

const FROM_TO = optionKeys('from', 'to');
const MEAN_STD = optionKeys('mean', 'std');
const REPLACEMENT = optionKeys('replacement');
const P = optionKeys('p');
const LAMBDA = optionKeys('lambda');
const MEDIAN_SIGMA = optionKeys('median', 'sigma');

/** Random numbers. */
export abstract class RandomMethods {
  /** In place: uniform numbers in [from, to). @param options.from - Default 0. @param options.to - Default 1. */
  uniform_(this: Tensor, options: { from?: number | undefined; to?: number | undefined } = {}): Tensor {
    const { from = 0, to = 1 } = checkOptions(options, FROM_TO);
    native.uniform(this, from, to).dispose();
    return this;
  }
  /** In place: normal numbers. @param options.mean - Default 0. @param options.std - Default 1. */
  normal_(this: Tensor, options: { mean?: number | undefined; std?: number | undefined } = {}): Tensor {
    const { mean = 0, std = 1 } = checkOptions(options, MEAN_STD);
    native.normal(this, mean, std).dispose();
    return this;
  }
  /** 1 with the probability of the element, else 0. */
  bernoulli(this: Tensor): Tensor {
    return native.bernoulli(this);
  }
  /**
   * Positions sampled with the weights in the last dimension, [N] or [B, N] -> int64 [numSamples] or [B, numSamples].
   * @param options.replacement - Sample with replacement. Default false.
   */
  multinomial(this: Tensor, numSamples: number, options: { replacement?: boolean | undefined } = {}): Tensor {
    const { replacement = false } = checkOptions(options, REPLACEMENT);
    return native.multinomial(this, numSamples, replacement);
  }
  /** Poisson-distributed numbers with the elements as rates. */
  poisson(this: Tensor): Tensor {
    return native.poisson(this);
  }
  /** In place: 1 with probability p, else 0. @param options.p - Default 0.5. */
  bernoulli_(this: Tensor, options: { p?: number | undefined } = {}): Tensor {
    const { p = 0.5 } = checkOptions(options, P);
    native.bernoulliInPlace(this, p).dispose();
    return this;
  }
  /** In place: exponentially distributed numbers. @param options.lambda - Their rate. Default 1. */
  exponential_(this: Tensor, options: { lambda?: number | undefined } = {}): Tensor {
    const { lambda = 1 } = checkOptions(options, LAMBDA);
    native.exponentialInPlace(this, lambda).dispose();
    return this;
  }
  /** In place: exp of normal numbers. @param options.mean - Default 1. @param options.std - Default 2. */
  logNormal_(this: Tensor, options: { mean?: number | undefined; std?: number | undefined } = {}): Tensor {
    const { mean = 1, std = 2 } = checkOptions(options, MEAN_STD);
    native.logNormalInPlace(this, mean, std).dispose();
    return this;
  }
  /** In place: Cauchy-distributed numbers. @param options.median - Default 0. @param options.sigma - Default 1. */
  cauchy_(this: Tensor, options: { median?: number | undefined; sigma?: number | undefined } = {}): Tensor {
    const { median = 0, sigma = 1 } = checkOptions(options, MEDIAN_SIGMA);
    native.cauchyInPlace(this, median, sigma).dispose();
    return this;
  }
  /** In place: the number of trials until the first success. @param options.p - Probability of success. */
  geometric_(this: Tensor, options: { p: number }): Tensor {
    const { p } = checkOptions(options, P);
    native.geometricInPlace(this, p).dispose();
    return this;
  }
  /** In place: integers in [from, to). @param options.from - Default 0. */
  random_(this: Tensor, options: { from?: number | undefined; to: number }): Tensor {
    const { from = 0, to } = checkOptions(options, FROM_TO);
    native.randomInPlace(this, from, to).dispose();
    return this;
  }
}
