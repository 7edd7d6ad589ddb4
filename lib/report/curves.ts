/**
 * Learning curves as images: loss and accuracy over the epochs, training and validation, of any number of runs.
 * @module
 */
import type { RunData } from '../run/records.js';
import { curvePanels, curvesOption } from './curve-panels.js';
import { groupRuns, type RunGroup } from './groups.js';
import {
  type PictureOptions,
  type PictureSize,
  type PngOptions,
  pictureSize,
  renderSvg,
  splitPngOptions,
  svgToPng,
} from './render.js';
import { seriesColour } from './theme.js';

/**
 * Learning curves of one or several runs as an SVG: loss on the left, accuracy on the right; validation solid,
 * training dashed, the best validation value marked with a ring and its number. Runs that differ only in their seed share a color.
 * @param runs - runs of `loadRun`
 * @param options - size in pixels (default 1200 x 480) and color scheme (default light)
 * @throws ArgumentError for an invalid run, naming the field, and for an invalid size
 */
export async function curvesSvg(runs: readonly RunData[], options: PictureOptions = {}): Promise<string> {
  const size = curvesSize(options);
  return drawCurves(groupRuns(runs), size);
}

/** The size of an image of curves, checked; by default 1200 x 480 pixels, light. */
export function curvesSize(options: PictureOptions = {}): PictureSize {
  return pictureSize(options, 1200, 480);
}

/** {@link curvesSvg} of groups. */
export function drawCurves(groups: readonly RunGroup[], size = curvesSize()): Promise<string> {
  const colour = (index: number) => seriesColour(index, size.scheme);
  return renderSvg(curvesOption(groups, curvePanels(groups, colour), size.width), size);
}

/**
 * {@link curvesSvg} as a PNG of `scale` (default 2) times its size.
 * @param runs - runs of `loadRun`
 * @param options - size in CSS pixels, color scheme and scale
 * @throws ArgumentError like {@link curvesSvg}, and for an invalid scale
 */
export async function curvesPng(runs: readonly RunData[], options: PngOptions = {}): Promise<Buffer> {
  const [picture, scale] = splitPngOptions(options);
  return svgToPng(await curvesSvg(runs, picture), scale);
}
