/**
 * Utilities for modules, torch.nn.utils: `import { nn } from 'dyconv'`, then `nn.utils.clipGradNorm_`.
 * @module
 */
export { clipGradNorm_, clipGradValue_ } from '../ops/clip-grad.js';
