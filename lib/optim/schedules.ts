/**
 * All learning-rate schedules: `optim.lr`.
 * @module
 */
export * from './lr.js';
export * from './lr-cycles.js';
export * from './lr-more.js';
