/**
 * Matrices, reductions, orders, views, joining and splitting, new tensors.
 * @module
 */
import type { Translation, Translations } from '../step.js';
import { calls } from './call.js';

/** @param i - Position of the argument that may be absent. */
const either =
  (i: number, absent: string, present: string): Translation =>
  (step) =>
    step.fill(step.isNull(i) ? absent : present);

const MATRIX: Translations = {
  ...calls(['matmul', 'bmm', 'mm', 'mv', 'dot', 'inner', 'outer', 'kron'], '$0, $1'),
  cross: 'torch.linalg_cross($0, $1, dim=$2)',
  tensordot: 'torch.tensordot($0, $1, $2, $3)',
  einsum: 'torch.einsum($0, $1)',
  cdist: 'torch.cdist($0, $1, $2f)',
  ...calls(['addmm', 'baddbmm', 'addmv', 'addbmm', 'addr'], '$0, $1, $2, beta=$3, alpha=$4'),
  trace: 'torch.trace($0)',
  ...calls(['tril', 'triu', 'diag', 'diagflat'], '$0, $1'),
  ...calls(['diagonal', 'diagEmbed'], '$0, $1, $2, $3'),
};

const REDUCE: Translations = {
  ...calls(['sum', 'nansum', 'mean', 'nanmean'], '$0, $1, $2, dtype=$3d'),
  prod: either(1, 'torch.prod($0, dtype=$3d)', 'torch.prod($0, $1, $2, dtype=$3d)'),
  variance: 'torch.var($0, $1, correction=$2, keepdim=$3)',
  ...calls(['std', 'varMean', 'stdMean'], '$0, $1, correction=$2, keepdim=$3'),
  amax: either(1, 'torch.amax($0, annotate(List[int], []), $2)', 'torch.amax($0, $1, $2)'),
  amin: either(1, 'torch.amin($0, annotate(List[int], []), $2)', 'torch.amin($0, $1, $2)'),
  aminmax: 'torch.aminmax($0, dim=$1, keepdim=$2)',
  ...calls(['max', 'min', 'median', 'nanmedian'], '$0'),
  maxDim: 'torch.max($0, $1, $2)',
  minDim: 'torch.min($0, $1, $2)',
  medianDim: 'torch.median($0, $1, $2)',
  nanmedianDim: 'torch.nanmedian($0, $1, $2)',
  ...calls(['argmax', 'argmin', 'all', 'any', 'logsumexp', 'mode'], '$0, $1, $2'),
  countNonzero: 'torch.count_nonzero($0, $1)',
  norm: 'torch.linalg_vector_norm($0, $1, $2, $3, dtype=$4d)',
  dist: 'torch.dist($0, $1, $2)',
  renorm: 'torch.renorm($0, $1, $2, $3)',
  ...calls(['sort', 'argsort'], '$0, stable=$3, dim=$1, descending=$2'),
  topk: 'torch.topk($0, $1, $2, $3, $4)',
  kthvalue: 'torch.kthvalue($0, $1, $2, $3)',
  searchsorted: 'torch.searchsorted($0, $1, out_int32=$2, right=$3, sorter=$4)',
  bucketize: 'torch.bucketize($0, $1, out_int32=$2, right=$3)',
  ...calls(['cumsum', 'cumprod'], '$0, $1, dtype=$2d'),
  ...calls(['cummax', 'cummin', 'logcumsumexp'], '$0, $1'),
  diff: 'torch.diff($0, $1, $2)',
};

const VIEWS: Translations = {
  ...calls(['reshape', 'view', 'permute', 'unsqueeze', 'expand', 'repeat', 'tile', 'flip'], '$0, $1'),
  ...calls(['transpose', 'movedim', 'flatten', 'unflatten', 'roll', 'rot90'], '$0, $1, $2'),
  squeeze: either(1, 'torch.squeeze($0)', 'torch.squeeze($0, $1)'),
  squeezeDims: 'torch.squeeze($0, $1)',
  repeatInterleave: 'torch.repeat_interleave($0, $1, $2)',
  ...calls(['narrow', 'unfold'], '$0, $1, $2, $3'),
  pad: 'torch.pad($0, $1, $2, $3f)',
};

/** Several tensors to one, or one to several. */
const JOIN: Translations = {
  ...calls(['cat', 'stack'], '$0, $1'),
  ...calls(['hstack', 'vstack', 'dstack', 'columnStack', 'blockDiag', 'cartesianProd'], '$0'),
  combinations: 'torch.combinations($0, $1, $2)',
  atleast1d: 'torch.atleast_1d($0)',
  atleast2d: 'torch.atleast_2d($0)',
  atleast3d: 'torch.atleast_3d($0)',
  split: 'torch.split_with_sizes($0, $1, $2)',
  ...calls(['chunk', 'tensorSplit'], '$0, $1, $2'),
  tensorSplitAt: 'torch.tensor_split($0, $1, $2)',
  unbind: 'torch.unbind($0, $1)',
  ...calls(['hsplit', 'vsplit', 'dsplit'], '$0, $1'),
  hsplitAt: 'torch.hsplit($0, $1)',
  vsplitAt: 'torch.vsplit($0, $1)',
  dsplitAt: 'torch.dsplit($0, $1)',
  broadcastTensors: 'torch.broadcast_tensors($0)',
  meshgrid: 'torch.meshgrid($0, indexing=$1)',
};

const CREATE: Translations = {
  full: 'torch.full($0, $1n, dtype=$2d, $$)',
  // Not left undefined: a file computes the same in every run.
  empty: 'torch.zeros($0, dtype=$1d, $$)',
  arange: 'torch.arange($0, $1, $2, dtype=$3d, $$)',
  linspace: 'torch.linspace($0, $1, $2, dtype=$3d, $$)',
  logspace: 'torch.logspace($0, $1, $2, $3f, dtype=$4d, $$)',
  eye: 'torch.eye($0, $1, dtype=$2d, $$)',
  to: either(2, '$0', 'torch.to($0, $2d)'),
  ...calls(['clone', 'detach', 'contiguous'], '$0'),
  // torch.channels_last
  channelsLast: 'torch.contiguous($0, memory_format=2)',
};

export const TENSORS: Translations = { ...MATRIX, ...REDUCE, ...VIEWS, ...JOIN, ...CREATE };

/** Operations that return a list of tensors, which may have one element; others return a tensor or a tuple. */
export const LISTS: ReadonlySet<string> = new Set([
  ...['split', 'chunk', 'tensorSplit', 'tensorSplitAt', 'unbind', 'broadcastTensors', 'meshgrid'],
  ...['hsplit', 'hsplitAt', 'vsplit', 'vsplitAt', 'dsplit', 'dsplitAt'],
]);
