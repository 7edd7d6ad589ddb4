/**
 * Post-training quantization of a graph to int8.
 * @module
 */
import type { Calibration } from '../../program/calibrate.js';
import { noGrad, untidy } from '../../tensor/context.js';
import type { Model } from '../message.js';
import type { Translated } from '../translate.js';
import { calibrate } from './calibrate.js';
import { foldBatchNorms } from './fold.js';
import { layerPath, planQuantization } from './plan.js';
import { rewrite } from './rewrite.js';

/** Settings of the quantization. */
export interface Quantization extends Calibration {
  /** Weights have 7 bits. */
  readonly reduceRange: boolean;
}

/**
 * Quantizes a graph in place.
 * @param modelOf - Makes a model of the current state of the graph.
 * @returns The paths of the layers that compute in int8, in their order.
 * @throws ArgumentError, ShapeError, DTypeError for a network or a calibration that does not fit.
 */
export async function quantize(
  { graph, outputs, attentions }: Translated,
  modelOf: () => Model,
  { calibration, percentile, floatLayers, reduceRange }: Quantization,
): Promise<string[]> {
  const names = outputs.map(({ name }) => name);
  const ends = { all: new Set(names), attentions: new Set(attentions) };
  const plan = untidy(() => {
    foldBatchNorms(graph, ends.all);
    return planQuantization(graph, ends, floatLayers);
  });
  const params = await calibrate(modelOf(), [...new Set(plan.ranges.values())], calibration, percentile);
  untidy(() => noGrad(() => rewrite(graph, plan, params, reduceRange)));
  graph.prune(names);
  return [...new Set([...plan.layers.keys()].map(layerPath))];
}
