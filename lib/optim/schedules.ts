/**
 * All learning-rate schedules: `optim.lr`.
 * @module
 */
export * from './lr.js';
export * from './lr-cosine.js';
export * from './lr-cycles.js';
export * from './lr-plateau.js';
export * from './lr-sequence.js';
export { LRScheduler, type SchedulerState } from './scheduler.js';
