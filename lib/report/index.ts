/**
 * Reports: what a run directory says, as tables, pictures and one page.
 * @module
 */
export {
  type ClassAccuracy,
  type ConfusionInput,
  classAccuracies,
  confusionPng,
  confusionSvg,
} from './confusion.js';
export { curvesPng, curvesSvg } from './curves.js';
export { groupRuns, type RunGroup } from './groups.js';
export { type PageOptions, page } from './page.js';
export { type Prediction, type PredictionsOptions, predictionsPng } from './predictions.js';
export type { PictureOptions, PngOptions } from './render.js';
export {
  type Evaluation,
  type ExpertUsage,
  loadRun,
  parseMetrics,
  type ReportEpoch,
  type RunData,
} from './run.js';
export { type MeanInterval, meanInterval, studentT } from './statistics.js';
export { type Comparison, type ComparisonRow, comparison } from './table.js';
export type { ColourScheme } from './theme.js';
