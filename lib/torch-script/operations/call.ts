/**
 * Operations that libtorch has under the same name.
 * @module
 */
import type { Translations } from '../step.js';

/** The name in libtorch: `maxPool2d` is `max_pool2d`. */
export const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Calls of libtorch's operations of the same names. @param args - Their arguments: see {@link Translation}. */
export const calls = (names: readonly string[], args: string): Translations =>
  Object.fromEntries(names.map((name) => [name, `torch.${snakeCase(name)}(${args})`]));
