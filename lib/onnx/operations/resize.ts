/**
 * Resizing and sampling on a grid.
 * @module
 */

import type { StoredValue } from '../../native/compile.js';
import { numberOf } from '../../program/stored-value.js';
import type { Value } from '../graph.js';
import type { Step, Translations } from '../step.js';

/** Attributes of each mode. */
const MODES: Readonly<
  Record<string, { mode: string; nearest_mode?: string; coordinate_transformation_mode: string }>
> = {
  nearest: { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' },
  nearestExact: {
    mode: 'nearest',
    nearest_mode: 'round_prefer_ceil',
    coordinate_transformation_mode: 'half_pixel',
  },
  linear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  bilinear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  trilinear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  bicubic: { mode: 'cubic', coordinate_transformation_mode: 'half_pixel' },
};

/** The positions of pixels follow from the factors where they are given, from the sizes otherwise, as in libtorch. */
function interpolate(step: Step): Value {
  const { graph } = step;
  const mode = MODES[step.text(3)]!;
  const attributes = {
    ...mode,
    ...(step.flag(4) ? { coordinate_transformation_mode: 'align_corners' } : {}),
    ...(mode.mode === 'cubic' ? { cubic_coeff_a: { float: -0.75 } } : {}),
  };
  if (step.flag(5)) step.fail('has antialiasing, whose filter differs between libtorch and ONNX');
  if (!step.isNull(2)) {
    // In float32 regardless of the precision: the operator accepts no other factors.
    const factors = (step.argument(2) as readonly StoredValue[]).map((item) => numberOf(item)!);
    return step.node('Resize', [step.value(0), '', graph.exactly([1, 1, ...factors], 'float32')], attributes);
  }
  return step.node('Resize', [step.value(0), '', '', graph.sizes(step.resultSizes())], attributes);
}

/** The names of the modes changed in opset 20. */
function gridMode(step: Step): string {
  const mode = step.text(2);
  if (step.graph.settings.opset < 20) return mode;
  return mode === 'bicubic' ? 'cubic' : mode === 'bilinear' ? 'linear' : mode;
}

function gridSample(step: Step): Value {
  if (step.rank(0) !== 4) step.fail('samples volumes');
  return step.node('GridSample', [step.value(0), step.value(1)], {
    mode: gridMode(step),
    padding_mode: step.text(3),
    align_corners: step.flag(4) ? 1 : 0,
  });
}

export const RESIZE: Translations = { interpolate, gridSample };
