/**
 * Option keys that a function and its layer share, in a separate file because all exports of the other files are public.
 * @module
 */
import { optionKeys } from '../check/index.js';

export const LOSS_KEYS = optionKeys('reduction');
export const BCE_WITH_LOGITS_KEYS = optionKeys(...LOSS_KEYS, 'weight', 'posWeight');
export const BCE_KEYS = optionKeys(...LOSS_KEYS, 'weight');
export const HUBER_KEYS = optionKeys(...LOSS_KEYS, 'delta', 'weight');
export const SMOOTH_L1_KEYS = optionKeys(...LOSS_KEYS, 'beta');
export const CROSS_ENTROPY_KEYS = optionKeys(...LOSS_KEYS, 'labelSmoothing', 'weight', 'ignoreIndex');
export const NLL_LOSS_KEYS = optionKeys(...LOSS_KEYS, 'weight', 'ignoreIndex');
export const KL_DIV_KEYS = optionKeys('reduction', 'logTarget');
export const POISSON_NLL_KEYS = optionKeys(...LOSS_KEYS, 'logInput', 'full', 'eps');
export const MARGIN_KEYS = optionKeys(...LOSS_KEYS, 'margin');
export const MULTI_MARGIN_KEYS = optionKeys(...MARGIN_KEYS, 'p', 'weight');
export const MAX_POOL_KEYS = optionKeys('stride', 'padding', 'dilation', 'ceilMode');
export const MAX_POOL_WITH_INDICES_KEYS = optionKeys(...MAX_POOL_KEYS, 'returnIndices');
export const AVG_POOL_KEYS = optionKeys('stride', 'padding', 'ceilMode', 'countIncludePad');
export const AVG_POOL_3D_KEYS = optionKeys(...AVG_POOL_KEYS, 'divisorOverride');
export const WEIGHTED_LOSS_KEYS = optionKeys(...LOSS_KEYS, 'weight');
export const INTERPOLATE_KEYS = optionKeys('size', 'scaleFactor', 'mode', 'alignCorners', 'antialias');
export const LOCAL_RESPONSE_NORM_KEYS = optionKeys('alpha', 'beta', 'k');
