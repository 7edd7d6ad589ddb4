import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  functional as F,
  manualSeed,
  ones,
  rand,
  randint,
  randn,
  type Tensor,
} from '../../lib/index.js';

describe('dropout', () => {
  // rand in float64 draws one number of 53 bits at a time; a number below 1 - p is kept.
  it.each([0.1, 0.5, 0.8])(
    'with p = %f draws what PyTorch draws, and leaves the generator where it would',
    (p) => {
      // Around the 624 numbers of one state of the generator, at even and odd positions.
      for (const count of [1, 2, 311, 312, 313, 624, 5000]) {
        for (const before of [0, 1, 2]) {
          const start = () => {
            manualSeed(count);
            if (before > 0) randint(0, 10, [before]);
          };
          start();
          const received = [F.dropout(ones([count]), { p }), rand([3])];
          start();
          const kept = rand([count], { dtype: 'float64' })
            .lt(1 - p)
            .to({ dtype: 'float32' });
          const expected = [kept.div(1 - p), rand([3])];
          received.forEach((t, i) => {
            expect(t.equal(expected[i]!), `${count} numbers after ${before}`).toBe(true);
          });
        }
      }
    },
  );

  it('drops the same from the gradient', () => {
    const x = randn([7, 30]).requiresGrad_();
    const y = F.dropout(x, { p: 0.4 });
    const [grad] = autograd.grad(y.sum(), [x]) as Tensor[];
    expect(x.detach().mul(grad!).equal(y.detach())).toBe(true);
    expect(grad!.ne(0).equal(y.detach().ne(0))).toBe(true);
  });

  it.each(['bfloat16', 'float16'] as const)('draws the same in %s', (dtype) => {
    const draw = (of: DType) => {
      manualSeed(5);
      return F.dropout(ones([300], { dtype: of }), { p: 0.3 });
    };
    expect(draw(dtype).equal(draw('float32').to({ dtype }))).toBe(true);
  });

  it('supports other layouts and dtypes', () => {
    const halves = F.dropout(ones([1000]).to({ dtype: 'bfloat16' }));
    expect(halves.dtype).toBe('bfloat16');
    for (const t of [
      halves,
      F.dropout(ones([50, 20]).transpose(0, 1)),
      F.dropout(ones([1000], { dtype: 'float64' })),
    ]) {
      const values = new Set(t.to({ dtype: 'float64' }).flatten().arraySync() as number[]);
      expect([...values].sort()).toEqual([0, 2]);
    }
    expect(F.dropout(ones([0, 4])).shape).toEqual([0, 4]);
  });
});
