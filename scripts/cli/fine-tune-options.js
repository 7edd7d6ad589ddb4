/**
 * The options of train.js for training from weights that exist: where they are, what is kept, and the optimizer.
 * @module
 */
import { inGroup } from './option-table.js';
import { classWeights, oneOf, text } from './value-types.js';

/** @import { OptionTable } from './types.js' */

/** Optimizers. */
export const OPTIMIZERS = /** @type {const} */ (['sgd', 'adam', 'adamw', 'rmsprop']);

export const FINE_TUNING = inGroup(
  'Fine-tuning',
  /** @satisfies {OptionTable} */ ({
    init: {
      value: 'source',
      type: text,
      config: 'init',
      help: 'initial weights: a file (.safetensors, .pt, .pth), an http(s) URL, or hf:org/name; the last layer may have other classes',
    },
    preset: {
      value: 'name',
      type: oneOf(['half', 'imagenet', 'cifar10', 'cifar100']),
      default: 'half',
      config: 'preset',
      help: 'mean and standard deviation of the images; imagenet also crops test images, as for the weights of torchvision',
    },
    freeze: {
      value: 'part',
      type: text,
      list: true,
      config: 'freeze',
      help: 'do not train these parts, such as features, layer1 or layer*.bn1; features is all but the last part of any network; repeatable',
    },
    optimizer: {
      value: 'name',
      type: oneOf(OPTIMIZERS),
      default: 'sgd',
      config: 'optimizer',
      help: 'optimizer; with any other than sgd, --lr, --momentum and --weight-decay default to the values of PyTorch',
    },
    findLr: {
      flag: 'plain',
      config: 'findLr',
      help: 'find the learning rate with a short range test before the training',
    },
    classWeights: {
      value: 'weights',
      type: classWeights,
      config: 'classWeights',
      help: 'weights of the classes in the loss: balanced, or numbers in the order of the class names, such as 1,5 (default: equal)',
    },
    sampling: {
      value: 'name',
      type: oneOf(['shuffled', 'balanced']),
      default: 'shuffled',
      config: 'sampling',
      help: 'shuffled: every image once an epoch; balanced: images of every class equally often',
    },
  }),
);
