/**
 * Schedule of the softmax temperature of dynamic layers.
 * @see Chen et al., Dynamic Convolution: Attention over Convolution Kernels, section 3.3 (arXiv 1912.03458)
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { checkModel } from './checks.js';

/** Start and length of a schedule. */
export interface TemperatureRamp {
  /** Temperature of the first epoch. Default: 30. */
  start?: number | undefined;
  /** Number of epochs over which it falls to 1. Default: 10. */
  epochs?: number | undefined;
}

/** Options of {@link temperatureSchedule}. */
export interface TemperatureScheduleOptions extends TemperatureRamp {
  /**
   * Schedules of single layers, by their keys such as `features.8`, or of all layers below a key such as `layer4`. The longest
   * matching key is used; missing values are those of all layers. Default: none.
   */
  layers?: Readonly<Record<string, TemperatureRamp>> | undefined;
}

const RAMP_KEYS = optionKeys('start', 'epochs');
const TEMPERATURE_SCHEDULE_KEYS = optionKeys('start', 'epochs', 'layers');

/** Gives the temperature of an epoch, counted from 0, for the layer with a key. */
export type TemperatureSchedule = (epoch: number, layer?: string) => number;

/**
 * The article's schedule: the temperature falls by `floor(start / epochs)` (or by `start / epochs` if that is below 1) after every
 * epoch, never below 1. With the defaults
 * 30, 27, 24 ... 6, 3, 1, 1 ... A high temperature keeps attention near uniform, so that early in training every expert
 * gets gradients.
 * @returns A pure function of the epoch, counted from 0, and the key of the layer.
 * @throws {ArgumentError} if `start` is below 1 or `epochs` is not a positive integer.
 * @example
 * const schedule = train.temperatureSchedule({ start: 30, epochs: 10, layers: { 'features.3': { start: 10 } } })
 * schedule(0) // 30
 * schedule(9) // 3
 * schedule(50) // 1
 * schedule(0, 'features.3') // 10
 */
export function temperatureSchedule(options: TemperatureScheduleOptions = {}): TemperatureSchedule {
  const { layers = {}, ...common } = checkOptions(options, TEMPERATURE_SCHEDULE_KEYS);
  if (typeof layers !== 'object' || layers === null || Array.isArray(layers))
    throw invalidArgument('layers', 'an object of schedules by the keys of layers', layers);
  const general = ramp(common, '');
  const single = Object.entries(layers).map(([key, own]) => {
    const name = `layers['${key}']`;
    if (typeof own !== 'object' || own === null)
      throw invalidArgument(name, 'an object with start or epochs', own);
    const { start = common.start, epochs = common.epochs } = checkOptions(own, RAMP_KEYS, name);
    return { key, temperature: ramp({ start, epochs }, `${name}.`) };
  });
  // The longest key first.
  single.sort((a, b) => b.key.length - a.key.length);
  return (epoch, layer) => {
    const own = single.find(({ key }) => layer === key || layer?.startsWith(`${key}.`));
    return (own?.temperature ?? general)(epoch);
  };
}

/** @param place - Of the options, for errors. */
function ramp({ start = 30, epochs = 10 }: TemperatureRamp, place: string): (epoch: number) => number {
  if (!Number.isFinite(start) || start < 1)
    throw invalidArgument(`${place}start`, 'a number of at least 1', start);
  if (!Number.isSafeInteger(epochs) || epochs < 1)
    throw invalidArgument(`${place}epochs`, 'a positive integer', epochs);
  const step = Math.floor(start / epochs) || start / epochs;
  return (epoch) => Math.max(1, start - step * epoch);
}

/** A module whose `temperature` can be set, such as DynamicConv2d. */
interface WithTemperature {
  temperature: number;
}

/**
 * Sets the temperature of `model` and all its submodules that have one: dynamic layers, and routings outside of them.
 * @param temperature - One for all, or a function of the key of the module, such as `features.8`.
 * @returns The number of these modules.
 */
export function setTemperature(model: Module, temperature: number | ((layer: string) => number)): number {
  checkModel(model);
  const layers = [...withTemperature(model)];
  for (const [key, layer] of layers)
    layer.temperature = typeof temperature === 'function' ? temperature(key) : temperature;
  return layers.length;
}

/** The temperature of the first module that has one, or null. */
export function getTemperature(model: Module): number | null {
  checkModel(model);
  for (const [, layer] of withTemperature(model)) return layer.temperature;
  return null;
}

/**
 * Recognized by the property, not by the class, so custom dynamic layers are included. A RoutingAttention, whose `temperature` is a
 * tensor, is one too unless it belongs to a layer.
 */
function withTemperature(model: Module): [string, WithTemperature][] {
  const found: [string, WithTemperature][] = [];
  const owned = new Set<unknown>();
  const routings: [string, { temperature: Tensor }][] = [];
  for (const [key, module] of model.namedModules()) {
    const { temperature, routing } = module as { temperature?: unknown; routing?: unknown };
    if (typeof temperature === 'number') {
      found.push([key, module as unknown as WithTemperature]);
      owned.add(routing);
    } else if ('kind' in module && 'numExperts' in module && isTensor(temperature)) {
      routings.push([key, module as unknown as { temperature: Tensor }]);
    }
  }
  for (const [key, routing] of routings) {
    if (!owned.has(routing)) found.push([key, accessor(routing)]);
  }
  return found;
}

/** The temperature of a routing as a number. */
function accessor({ temperature }: { temperature: Tensor }): WithTemperature {
  return {
    get temperature() {
      return Number(temperature.item());
    },
    set temperature(value) {
      temperature.fill_(value);
    },
  };
}
