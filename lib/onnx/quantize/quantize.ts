/**
 * A graph of float32 made one of int8: post-training quantisation.
 * @module
 */
import { noGrad, untidy } from '../../tensor/context.js';
import type { Model } from '../message.js';
import type { Translated } from '../translate.js';
import { type CalibrationSource, calibrate } from './calibrate.js';
import { foldBatchNorms } from './fold.js';
import { layerPath, planQuantization } from './plan.js';
import { rewrite } from './rewrite.js';

/** How a network is made int8. */
export interface Quantization {
  readonly calibration: CalibrationSource;
  /** Share of each value's elements that its range covers, in percent. */
  readonly percentile: number;
  /** Paths of layers that stay float32; undefined for the first and the last ones. */
  readonly floatLayers: readonly string[] | undefined;
  /** Weights have 7 bits. */
  readonly reduceRange: boolean;
}

/**
 * Changes a graph.
 * @param modelOf - The model of the graph as it is when this is called.
 * @returns The paths of the layers that are computed in int8, in their order.
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
  const roundings = await calibrate(modelOf(), [...new Set(plan.ranges.values())], calibration, percentile);
  untidy(() => noGrad(() => rewrite(graph, plan, roundings, reduceRange)));
  graph.prune(names);
  return [...new Set([...plan.layers.keys()].map(layerPath))];
}
