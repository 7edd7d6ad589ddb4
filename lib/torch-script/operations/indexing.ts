/**
 * Reading and writing elements by index or mask.
 * @module
 */
import type { StoredValue } from '../../native/compile.js';
import type { Code } from '../script.js';
import type { Step, Translations } from '../step.js';
import { calls } from './call.js';

/** One place of an index in Python's notation. */
function placeOf(step: Step, part: StoredValue): Code {
  if (part === '...') return '...';
  if (typeof part === 'boolean') return step.fail('is indexed by a boolean');
  if (!Array.isArray(part)) return step.code(part);
  const bounds = (part as readonly StoredValue[]).map((bound) => (bound === null ? '' : step.code(bound)));
  const [start = '', stop = '', stride = ''] = bounds;
  return stride === '' ? `${start}:${stop}` : `${start}:${stop}:${stride}`;
}

/** `x[1:, None, i]` */
function indexed(step: Step): Code {
  const places = step.list(1).map((part) => placeOf(step, part));
  return places.length === 0 ? step.fill('$0') : step.fill(`$0[${places.join(', ')}]`);
}

/** An assignment to elements: the result is the tensor itself. */
function indexPut(step: Step): Code {
  step.script.lines.push(`${indexed(step)} = ${step.fill('$2o')}`);
  return step.fill('$0');
}

export const INDEXING: Translations = {
  index: (step) => (step.list(1).length === 0 ? step.fill('torch.alias($0)') : indexed(step)),
  indexPut,
  select: 'torch.select($0, $1, $2)',
  ...calls(['indexSelect', 'takeAlongDim', 'gather'], '$0, $1, $2'),
  ...calls(['take', 'maskedSelect'], '$0, $1'),
  ...calls(['nonzero', 'argwhere'], '$0'),
  put: 'torch.put($0, $1, $2, $3)',
  ...calls(['scatter', 'scatterAdd', 'indexCopy'], '$0, $1, $2, $3'),
  scatterValue: 'torch.scatter($0, $1, $2, $3n)',
  scatterReduce: 'torch.scatter_reduce($0, $1, $2, $3, $4, include_self=$5)',
  indexAdd: 'torch.index_add($0, $1, $2, $3, alpha=$4)',
  indexFill: 'torch.index_fill($0, $1, $2, $3n)',
  indexFillTensor: 'torch.index_fill($0, $1, $2, $3)',
  indexReduce: 'torch.index_reduce($0, $1, $2, $3, $4, include_self=$5)',
  maskedFill: 'torch.masked_fill($0, $1, $2n)',
  maskedFillTensor: 'torch.masked_fill($0, $1, $2)',
  maskedScatter: 'torch.masked_scatter($0, $1, $2)',
  selectScatter: 'torch.select_scatter($0, $1, $2, $3)',
  sliceScatter: 'torch.slice_scatter($0, $1, $2, $3, $4, $5)',
  diagonalScatter: 'torch.diagonal_scatter($0, $1, $2, $3, $4)',
  copy: 'torch.copy_($0, $1)',
  fill: 'torch.fill_($0, $1n)',
};
