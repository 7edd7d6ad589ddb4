/**
 * Numbers of channels of scaled networks.
 * @module
 */

/**
 * The multiple of `divisor` that is nearest to a number of channels, but not less than 0.9 of it: `_make_divisible` of
 * torchvision and of the MobileNet papers' code.
 */
export function makeDivisible(channels: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor(Math.floor(channels + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}
