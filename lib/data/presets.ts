/**
 * Mean and standard deviation of the channels of known data sets.
 * @module
 */

/** What `normalize` and the predefined transforms take. */
export interface ChannelPreset {
  /** Per channel, in [0, 1] units. */
  readonly mean: readonly number[];
  /** Per channel, in [0, 1] units. */
  readonly std: readonly number[];
}

const preset = (mean: readonly number[], std: readonly number[]): ChannelPreset =>
  Object.freeze({ mean: Object.freeze(mean), std: Object.freeze(std) });

/**
 * Means and standard deviations for `normalize`: `imagenet` is that of torchvision's weights; those of the other sets are of their training images
 * (`data.describe`); `half` maps [0, 1] to [-1, 1].
 */
export const presets = Object.freeze({
  imagenet: preset([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  cifar10: preset([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  cifar100: preset([0.5071, 0.4866, 0.4409], [0.2673, 0.2564, 0.2762]),
  mnist: preset([0.1307], [0.3081]),
  fashionMnist: preset([0.286], [0.353]),
  half: preset([0.5], [0.5]),
});
