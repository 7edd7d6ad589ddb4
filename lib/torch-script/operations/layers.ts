/**
 * Layers: linear, norms, pools, recurrent ones, attention, resizing.
 * @module
 */
import { type Code, floatLiteral } from '../script.js';
import type { Step, Translation, Translations } from '../step.js';
import { calls } from './call.js';

/** As cpp/bindings/norm.cc: an average pool over neighboring channels, padded separately, because an even window needs unequal padding. */
function localResponseNorm(step: Step): Code {
  const size = step.number(1);
  const [before, behind] = [Math.floor(size / 2), Math.floor((size - 1) / 2)];
  const shape = step.let('torch.size($0)');
  const planes = `torch.reshape(torch.mul($0, $0), [${shape}[0], 1, ${shape}[1], -1])`;
  const padded = `torch.constant_pad_nd(${planes}, [0, 0, ${before}, ${behind}], 0)`;
  const mean = step.let(`torch.reshape(torch.avg_pool2d(${padded}, [${size}, 1], [1, 1]), ${shape})`);
  return step.fill(`torch.div($0, torch.pow(torch.add(torch.mul(${mean}, $2), $4), $3))`);
}

/** Named by the number of spatial dimensions. */
const maxPoolWithIndices: Translation = (step) =>
  step.fill(`torch.max_pool${step.list(1).length}d_with_indices($0, $1, $2, $3, $4, $5)`);

/** @param i - Position of the nonlinearity. */
const byNonlinearity =
  (i: number, form: (name: string) => string): Translation =>
  (step) =>
    step.fill(form(step.text(i) === 'relu' ? 'relu' : 'tanh'));

/** The function of a mode without its number of dimensions. */
const UPSAMPLING: Readonly<Record<string, string>> = {
  nearest: 'upsample_nearest',
  nearestExact: '_upsample_nearest_exact',
  linear: 'upsample_linear',
  bilinear: 'upsample_bilinear',
  bicubic: 'upsample_bicubic',
  trilinear: 'upsample_trilinear',
};

/** The positions of pixels follow from the factors where they are given, from the sizes otherwise. */
function interpolate(step: Step): Code {
  const mode = step.text(3);
  const antialias = step.argument(5) === true ? '_aa' : '';
  const name = `${antialias === '' ? '' : '_'}${UPSAMPLING[mode]}${step.rank(0) - 2}d${antialias}`;
  const align = mode.startsWith('nearest') ? '' : '$4, ';
  return step.fill(`torch.${name}($0, $1, ${align}$2f)`);
}

const GRID_MODES = ['bilinear', 'nearest', 'bicubic'];
const GRID_PADDING = ['zeros', 'border', 'reflection'];

const gridSample: Translation = (step) => {
  const [mode, padding] = [GRID_MODES.indexOf(step.text(2)), GRID_PADDING.indexOf(step.text(3))];
  return step.fill(`torch.grid_sampler($0, $1, ${mode}, ${padding}, $4)`);
};

const norm: Translation = (step) => {
  const p = floatLiteral(step.number(1));
  return step.fill(`torch.div($0, torch.clamp_min(torch.norm($0, ${p}, [$2], True), $3))`);
};

export const LAYERS: Translations = {
  linear: 'torch.linear($0, $1, $2)',
  bilinear: 'torch.bilinear($0, $1, $2, $3)',
  embedding: 'torch.embedding($0, $1, $2)',
  oneHot: 'torch.one_hot($0, $1)',
  scaledDotProductAttention:
    'torch.scaled_dot_product_attention($0, $1, $2, $3, $4f, $5, scale=$6f, enable_gqa=$7)',

  batchNorm: 'torch.batch_norm($0, $1, $2, $3, $4, $5, $6f, $7f, False)',
  layerNorm: 'torch.layer_norm($0, $1, $2, $3, $4f, False)',
  groupNorm: 'torch.group_norm($0, $1, $2, $3, $4f, False)',
  instanceNorm: 'torch.instance_norm($0, $1, $2, $3, $4, $5, $6f, $7f, False)',
  rmsNorm: 'torch.rms_norm($0, $1, $2, $3f)',
  localResponseNorm,
  normalize: norm,
  cosineSimilarity: 'torch.cosine_similarity($0, $1, $2, $3f)',
  pairwiseDistance: 'torch.pairwise_distance($0, $1, $2f, $3f, $4)',
  pdist: 'torch.pdist($0, $1f)',

  ...calls(['maxPool1d', 'maxPool2d', 'maxPool3d'], '$0, $1, $2, $3, $4, $5'),
  maxPoolWithIndices,
  avgPool1d: 'torch.avg_pool1d($0, $1, $2, $3, $4, $5)',
  ...calls(['avgPool2d', 'avgPool3d'], '$0, $1, $2, $3, $4, $5, $6'),
  ...calls(['adaptiveAvgPool1d', 'adaptiveAvgPool2d', 'adaptiveAvgPool3d'], '$0, $1'),
  ...calls(['adaptiveMaxPool1d', 'adaptiveMaxPool2d', 'adaptiveMaxPool3d'], '$0, $1'),

  lstm: 'torch.lstm($0, [$1, $2], $3, $4, $5, $6f, $7, $8, $9)',
  gru: 'torch.gru($0, $1, $2, $3, $4, $5f, $6, $7, $8)',
  rnn: byNonlinearity(9, (name) => `torch.rnn_${name}($0, $1, $2, $3, $4, $5f, $6, $7, $8)`),
  lstmCell: 'torch.lstm_cell($0, [$1, $2], $3, $4, $5, $6)',
  gruCell: 'torch.gru_cell($0, $1, $2, $3, $4, $5)',
  rnnCell: byNonlinearity(6, (name) => `torch.rnn_${name}_cell($0, $1, $2, $3, $4, $5)`),

  interpolate,
  gridSample,
  affineGrid: 'torch.affine_grid_generator($0, $1, $2)',
  ...calls(['pixelShuffle', 'pixelUnshuffle', 'channelShuffle'], '$0, $1'),
};
