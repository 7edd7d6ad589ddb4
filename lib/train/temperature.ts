/**
 * Schedule of the softmax temperature of dynamic layers.
 * @see Chen et al., Dynamic Convolution: Attention over Convolution Kernels, section 3.3 (arXiv 1912.03458)
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { checkModel } from './checks.js';

/** Options of {@link temperatureSchedule}. */
export interface TemperatureScheduleOptions {
  /** Temperature of the first epoch. Default: 30. */
  start?: number | undefined;
  /** Number of epochs over which it falls to 1. Default: 10. */
  epochs?: number | undefined;
}

const TEMPERATURE_SCHEDULE_KEYS = optionKeys('start', 'epochs');

/** Gives the temperature of an epoch, counted from 0. */
export type TemperatureSchedule = (epoch: number) => number;

/**
 * The article's schedule: the temperature falls by `floor(start / epochs)` (or by `start / epochs` if that is below 1) after every
 * epoch, never below 1. With the defaults
 * 30, 27, 24 ... 6, 3, 1, 1 ... A high temperature keeps attention near uniform, so that early in training every expert
 * gets gradients.
 * @returns A pure function of the epoch, counted from 0.
 * @throws {ArgumentError} if `start` is below 1 or `epochs` is not a positive integer.
 * @example
 * const schedule = train.temperatureSchedule({ start: 30, epochs: 10 })
 * schedule(0) // 30
 * schedule(9) // 3
 * schedule(50) // 1
 */
export function temperatureSchedule(options: TemperatureScheduleOptions = {}): TemperatureSchedule {
  const { start = 30, epochs = 10 } = checkOptions(options, TEMPERATURE_SCHEDULE_KEYS);
  if (!Number.isFinite(start) || start < 1) throw invalidArgument('start', 'a number of at least 1', start);
  if (!Number.isSafeInteger(epochs) || epochs < 1)
    throw invalidArgument('epochs', 'a positive integer', epochs);
  const step = Math.floor(start / epochs) || start / epochs;
  return (epoch) => Math.max(1, start - step * epoch);
}

/** A module whose `temperature` can be set, such as DynamicConv2d. */
interface WithTemperature {
  temperature: number;
}

/**
 * Sets the temperature of `model` and all its submodules that have one.
 * @returns The number of these modules.
 */
export function setTemperature(model: Module, temperature: number): number {
  checkModel(model);
  const layers = [...withTemperature(model)];
  for (const layer of layers) layer.temperature = temperature;
  return layers.length;
}

/** The temperature of the first module that has one, or null: the trainer keeps all of them equal. */
export function getTemperature(model: Module): number | null {
  checkModel(model);
  for (const layer of withTemperature(model)) return layer.temperature;
  return null;
}

/** Recognised by the property, not by the class, so custom dynamic layers are included. */
function* withTemperature(model: Module): Iterable<WithTemperature> {
  for (const [, module] of model.namedModules()) {
    if ('temperature' in module && typeof module.temperature === 'number')
      yield module as unknown as WithTemperature;
  }
}
