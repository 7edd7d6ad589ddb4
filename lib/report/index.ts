/**
 * Reports of run directories: tables, images and an HTML page.
 * @module
 */

export { type Summary, type SummaryOptions, type SummaryRow, summary } from '../nn/summary.js';
export { type ClassAccuracy, classAccuracies } from '../run/confusion.js';
export { parseMetrics } from '../run/metrics.js';
export { loadRun } from '../run/read.js';
export type { ConfusionInput, RunData } from '../run/records.js';
export { confusionPng, confusionSvg, formatConfusion } from './confusion.js';
export { curvesPng, curvesSvg } from './curves.js';
export { groupRuns, type RunGroup } from './groups.js';
export { type PageOptions, page } from './page.js';
export { type Prediction, type PredictionsOptions, predictionsPng } from './predictions.js';
export type { PictureOptions, PngOptions } from './render.js';
export type { AttentionChange, ComparisonRow, MeasuredImages } from './rows.js';
export { type MeanInterval, meanInterval, studentT } from './statistics.js';
export { type Comparison, comparison } from './table.js';
export type { ColourScheme } from './theme.js';
export {
  type CompareOptions,
  compare,
  type WritePredictionsOptions,
  writePredictions,
  writeRunReport,
} from './write.js';
