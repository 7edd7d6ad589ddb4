/**
 * Whether a `config.json` describes a run that can be evaluated or resumed.
 * @module
 */
import { checkIterable, checkRecord, type FieldKind } from '../check/index.js';
import { ArgumentError, CheckpointError, invalidArgument } from '../errors.js';
import type { RunConfig } from './records.js';

/** What every run has; what came later is optional. */
const FIELDS: Record<string, FieldKind> = {
  model: 'string',
  modelOptions: 'object',
  parameters: 'object',
  dataset: 'string',
  classes: 'array',
  imageShape: 'array',
  milestones: 'array',
  device: 'string',
};
const WHOLE = ['trainImages', 'valImages', 'imageSize', 'epochs', 'batchSize', 'seed'] as const;
const NUMBERS = ['lr', 'momentum', 'weightDecay', 'labelSmoothing', 'gamma'] as const;

/** The longest side of an image that anything here is made for, in pixels. */
const MAX_SIDE = 4096;

/**
 * Checks a configuration that was read from a run.
 * @param config - As `RunDirectory.readConfig` gives it.
 * @param file - Its file, for messages.
 * @throws {CheckpointError} naming the file and the field.
 */
export function checkRunConfig(config: RunConfig, file: string): RunConfig {
  try {
    checkRecord(config, 'the configuration', 'an object', FIELDS);
    for (const key of WHOLE) whole(config[key], key, key === 'seed' ? 0 : 1);
    for (const key of NUMBERS)
      if (typeof config[key] !== 'number') throw invalidArgument(key, 'a number', config[key]);
    for (const [i, name] of checkIterable(config.classes, 'classes').entries())
      if (typeof name !== 'string') throw invalidArgument(`classes[${i}]`, 'a string', name);
    if (config.classes.length === 0) throw invalidArgument('classes', 'at least one class', config.classes);
    if (config.imageShape.length !== 3) throw invalidArgument('imageShape', '[C, H, W]', config.imageShape);
    for (const [i, size] of config.imageShape.entries()) whole(size, `imageShape[${i}]`, 1, MAX_SIDE);
    whole(config.imageSize, 'imageSize', 1, MAX_SIDE);
    for (const [i, epoch] of config.milestones.entries()) whole(epoch, `milestones[${i}]`, 1);
    const { temperature } = config;
    if (temperature !== null)
      checkRecord(temperature, 'temperature', 'an object or null', { start: 'number', epochs: 'number' });
    return config;
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new CheckpointError(`${file} is damaged: ${error.message}`, { cause: error });
  }
}

function whole(value: unknown, name: string, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const range = max < Number.MAX_SAFE_INTEGER ? `from ${min} to ${max}` : `of at least ${min}`;
  throw invalidArgument(name, `an integer ${range}`, value);
}
