/**
 * The networks of pytorch_reference.py with their options, such as `static:amp:graph`, as an option of a command.
 * @module
 */
import { oneOf } from '../cli/value-types.js';

/** @import { ValueType } from '../cli/types.js' */

const PYTORCH_NETWORKS = [
  ...['static', 'grouped', 'mix-after'],
  ...['resnet18', 'mobilenet_v3_small', 'efficientnet_b0'],
];
/** Options of a network. */
export const PYTORCH_OPTIONS = ['channels-last', 'bfloat16', 'amp', 'compile', 'graph'];
const oneNetwork = oneOf(PYTORCH_NETWORKS);
const oneOption = oneOf(PYTORCH_OPTIONS);

/** Networks with their options, separated by commas. @type {ValueType<string[]>} */
export const pytorchModes = {
  parse: (text) =>
    text.split(',').map((mode) => {
      const [network = '', ...options] = mode.trim().split(':');
      return [oneNetwork.parse(network), ...options.map(oneOption.parse)].join(':');
    }),
};
