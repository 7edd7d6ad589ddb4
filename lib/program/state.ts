/**
 * Parameters and buffers of programs by their keys.
 * @module
 */
import { checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { noGrad } from '../tensor/context.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';

/** Tensors by key. */
export type ProgramState = Record<string, Tensor>;

/** Keys that do not match. */
export interface ProgramLoadResult {
  /** Keys of the program that the state lacks. */
  missing: string[];
  /** Keys of the state that the program lacks. */
  unexpected: string[];
}

const STRICT = optionKeys('strict');

/** @internal Copies `state` into `own`, whose tensors it disposes. See `Program.loadStateDict`. */
export function loadProgramState(
  own: ProgramState,
  state: ProgramState,
  options: { strict?: boolean | undefined },
): ProgramLoadResult {
  try {
    const { strict = true } = checkOptions(options, STRICT);
    if (typeof strict !== 'boolean') throw invalidArgument('strict', 'a boolean', strict);
    checkRecord(state, 'state', 'an object of Tensors by key', {});
    const missing = Object.keys(own).filter((key) => !Object.hasOwn(state, key));
    const unexpected = Object.keys(state).filter((key) => !Object.hasOwn(own, key));
    if (strict && missing.length + unexpected.length > 0) {
      throw new CheckpointError(
        `Expected the keys of the program for state but received others: missing [${missing.join(', ')}]; unexpected [${unexpected.join(', ')}]`,
      );
    }
    const matches = Object.entries(own).filter(([key]) => Object.hasOwn(state, key));
    for (const [key, tensor] of matches) {
      const value = state[key];
      if (!isTensor(value)) throw invalidArgument(`state['${key}']`, 'a Tensor', value);
      if (String(tensor.shape) !== String(value.shape))
        throw new CheckpointError(
          `Expected shape [${tensor.shape.join(', ')}] for ${key} of the program but received [${value.shape.join(', ')}]`,
        );
    }
    noGrad(() => {
      for (const [key, tensor] of matches) tensor.copy_(state[key]!);
    });
    return { missing, unexpected };
  } finally {
    for (const tensor of Object.values(own)) tensor.dispose();
  }
}
