/**
 * Options that all networks have.
 * @module
 */
import { integer } from '../../check/arguments.js';
import { optionKeys } from '../../check/index.js';

/** Options of every network of torchvision. */
export interface ClassifierOptions {
  /** Number of classes. Default 1000, the number of ImageNet. */
  numClasses?: number | undefined;
  /** Channels of the images. Default 3. */
  inChannels?: number | undefined;
}

/** @internal */
export const CLASSIFIER_KEYS = optionKeys('numClasses', 'inChannels');

/** The values of {@link ClassifierOptions}. */
export interface Classifier {
  readonly numClasses: number;
  readonly inChannels: number;
}

/** Checks {@link ClassifierOptions} and adds the defaults. */
export function classifier({ numClasses = 1000, inChannels = 3 }: ClassifierOptions): Classifier {
  return {
    numClasses: integer('numClasses', numClasses, 1),
    inChannels: integer('inChannels', inChannels, 1),
  };
}
