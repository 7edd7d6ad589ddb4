/**
 * Process-wide settings of libtorch, and versions.
 * @module
 */
import { createRequire } from 'node:module';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';

const { version: packageVersion } = createRequire(import.meta.url)('../../package.json') as {
  version: string;
};

/** Versions of the package and of libtorch. */
export const version: Readonly<{ dyconv: string; libtorch: string }> = Object.freeze({
  dyconv: packageVersion,
  libtorch: native.libtorchVersion(),
});

/**
 * Seeds the random generators of all devices, for weights, dropout and `rand*`.
 * @param seed - An integer, 0 to 2^53 - 1.
 * @see https://pytorch.org/docs/stable/generated/torch.manual_seed.html
 */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw invalidArgument('seed', 'an integer from 0 to 2^53 - 1', seed);
  native.manualSeed(seed);
}

/** Options of {@link getRngState} and {@link setRngState}. */
export interface RngOptions {
  /** Device of the generator: operations use the generator of their device. Default: `'cpu'`. */
  device?: Device | undefined;
}

const RNG_KEYS = optionKeys('device');

/** The state of a device's generator, a uint8 tensor for {@link setRngState}. @throws DeviceError */
export function getRngState(options: RngOptions = {}): Tensor {
  const { device = 'cpu' } = checkOptions(options, RNG_KEYS);
  return native.getRngState(device);
}

/** Restores the state of a device's generator from {@link getRngState}. @throws DeviceError */
export function setRngState(state: Tensor, options: RngOptions = {}): void {
  const { device = 'cpu' } = checkOptions(options, RNG_KEYS);
  native.setRngState(state, device);
}

/** Sets the number of threads per operation. @param threads - 1 to 1024. Default: the physical cores. */
export function setNumThreads(threads: number): void {
  native.setNumThreads(threads);
}

/** The number of threads per operation. */
export function getNumThreads(): number {
  return native.getNumThreads();
}

/** The instruction set of libtorch's kernels, such as `AVX512`. */
export function cpuCapability(): string {
  return native.cpuCapability();
}
