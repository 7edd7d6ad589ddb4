import { it } from 'vitest';
import { ArgumentError, type Tensor, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const x = tensor([-1.5, 0, 0.5, 2]);
const y = tensor([2, -1, 0.5, 4]);
const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;

itRefuses([
  ['a receiver that is no Tensor', () => zeros([1]).exp.call({} as never), ArgumentError, 'for input of exp'],
]);

// Values of PyTorch.
const cases: [string, () => Tensor, unknown][] = [
  ['exp', () => x.exp(), [0.2231301601, 1, 1.6487212707, 7.3890560989]],
  ['expm1', () => x.expm1(), [-0.7768698398, 0, 0.6487212707, 6.3890560989]],
  ['log', () => x.log(), [nan, -inf, -Math.LN2, Math.LN2]],
  ['log1p', () => x.log1p(), [nan, 0, 0.4054651081, 1.0986122887]],
  ['log2', () => x.log2(), [nan, -inf, -1, 1]],
  ['sqrt', () => x.sqrt(), [nan, 0, Math.SQRT1_2, Math.SQRT2]],
  ['rsqrt', () => x.rsqrt(), [nan, inf, Math.SQRT2, Math.SQRT1_2]],
  ['sin', () => x.sin(), [-0.9974949866, 0, 0.4794255386, 0.9092974268]],
  ['cos', () => x.cos(), [0.0707372017, 1, 0.8775825619, -0.4161468365]],
  ['tan', () => x.tan(), [-14.1014199472, 0, 0.5463024898, -2.1850398633]],
  ['tanh', () => x.tanh(), [-0.9051482536, 0, 0.4621171573, 0.9640275801]],
  ['erf', () => x.erf(), [-0.9661051465, 0, 0.5204998778, 0.995322265]],
  ['sigmoid', () => x.sigmoid(), [0.1824255238, 0.5, 0.6224593312, 0.880797078]],
  ['atan2', () => x.atan2(y), [-0.6435011088, Math.PI, 0.7853981634, 0.463647609]],
];

it.each(cases)('%s', (_, call, values) => {
  expectValues(call(), values);
});
