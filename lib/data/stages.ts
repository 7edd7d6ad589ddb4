/**
 * Divides a transform into stages: steps that the add-on executes together, and steps that work on bytes.
 * @module
 */
import type { ByteStep } from './pixels/apply.js';
import { PIXEL_MAKERS } from './pixels/makers.js';
import type { PlannedStep } from './transform-steps.js';
import type { ComposedTransform, Step, Transform } from './transform-types.js';

/** Steps that are executed together. */
export type Stage = { planned: ComposedTransform } | { bytes: ByteStep };

/** A transform in stages. */
export interface Stages {
  /** The steps whose results are bytes. */
  stages: readonly Stage[];
  /** The remaining steps: a transform that the add-on executes, or only a scaling to [0, 1]. */
  last: Transform | undefined;
  /** Images made of each image. */
  crops: number;
}

/** Whether a step works on bytes. */
export function isByteStep(step: Step): step is ByteStep {
  return Object.hasOwn(PIXEL_MAKERS, step.step) || ('antialias' in step && step.antialias === true);
}

/** The stages of a transform. */
export function stagesOf(transform: Transform | undefined): Stages {
  if (transform?.kind !== 'compose' || !transform.steps.some(isByteStep))
    return { stages: [], last: transform, crops: 1 };
  const stages: Stage[] = [];
  let open: PlannedStep[] = [];
  for (const step of transform.steps) {
    if (!isByteStep(step)) {
      open.push(step as PlannedStep);
      continue;
    }
    if (open.length > 0) stages.push({ planned: { kind: 'compose', steps: open } });
    open = [];
    stages.push({ bytes: step });
  }
  const crops = stages.some((stage) => 'bytes' in stage && stage.bytes.step === 'fiveCrop') ? 5 : 1;
  return { stages, last: { kind: 'compose', steps: open }, crops };
}
