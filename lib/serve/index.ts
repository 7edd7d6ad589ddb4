/**
 * Serving trained networks: `import { serve } from 'dyconv'`.
 * @module
 */
export {
  Classifier,
  type ClassProbability,
  type LoadClassifierOptions,
  loadClassifier,
} from './classifier.js';
export type { Picture } from './picture.js';
