import { describe, expect, it } from 'vitest';
import { DTypeError, models, nn, ShapeError, type Tensor, zeros } from '../../lib/index.js';

/** The error that a call throws or rejects with. */
async function errorOf(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

class Block extends nn.Module {
  conv1 = new nn.Conv2d(3, 4, 3);
  forward(x: Tensor): Tensor {
    return this.conv1.forward(x);
  }
}

class Net extends nn.Module {
  static override stateKeys = { blockB: 'blockB' };
  blocks = new nn.ModuleList([new Block(), new Block()]);
  blockB = new Block();
  fc = new nn.Linear(4, 2);
  forward(x: Tensor, place: 'list' | 'key' | 'own' = 'list'): Tensor {
    if (place === 'list') return this.blocks[1]!.forward(x);
    return place === 'key' ? this.blockB.forward(x) : x.matmul(zeros([7, 7]));
  }
}

describe('errors of a network', () => {
  const wrong = zeros([1, 2, 8, 8]);

  it('name the layer by its path from the module that was called', async () => {
    const model = new nn.Sequential(
      new nn.Identity(),
      new nn.Sequential(new nn.ReLU(), new nn.Conv2d(3, 4, 3)),
    );
    const error = await errorOf(() => model.forward(wrong));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^1\.1 \(Conv2d\): conv2d: .*received input float32 \[1, 2, 8, 8\]/);
    expect(error.stack).toContain(error.message);
    const inner = await errorOf(() => model[1]!.forward(wrong));
    expect(inner.message).toMatch(/^1 \(Conv2d\): conv2d: /);
    const layer = await errorOf(() => (model[1] as nn.Sequential)[1]!.forward(wrong));
    expect(layer.message).toMatch(/^conv2d: /);
  });

  it('use the keys of the state', async () => {
    const net = new Net();
    expect((await errorOf(() => net.forward(wrong))).message).toMatch(
      /^blocks\.1\.conv1 \(Conv2d\): conv2d: /,
    );
    expect((await errorOf(() => net.forward(wrong, 'key'))).message).toMatch(
      /^blockB\.conv1 \(Conv2d\): conv2d: /,
    );
  });

  it('of the module itself are unchanged', async () => {
    const error = await errorOf(() => new Net().forward(zeros([2, 2]), 'own'));
    expect(error.message).not.toMatch(/\(\w+\): /);
  });

  it('name the layers of a model, and dtypes', async () => {
    const model = models.alexnetDy({ numClasses: 2 });
    const error = await errorOf(() => model.forward(zeros([1, 1, 128, 128])));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^features\.0 \(Conv2d\): /);
    const indices = new nn.Sequential(new nn.Embedding(4, 4));
    const other = await errorOf(() => indices.forward(zeros([2])));
    expect(other).toBeInstanceOf(DTypeError);
    expect(other.message).toMatch(/^0 \(Embedding\): /);
  });

  it('are added in async forward methods too', async () => {
    class Slow extends nn.Module<[Tensor], Promise<Tensor>> {
      conv = new nn.Conv2d(3, 4, 3);
      async forward(x: Tensor): Promise<Tensor> {
        await null;
        return this.conv.forward(x);
      }
    }
    class Outer extends nn.Module<[Tensor], Promise<Tensor>> {
      slow = new Slow();
      async forward(x: Tensor): Promise<Tensor> {
        return await this.slow.forward(x);
      }
    }
    const error = await errorOf(() => new Outer().forward(wrong));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^slow\.conv \(Conv2d\): conv2d: /);
  });

  it('name the layer once with a hook, and where a forward calls that of its base class', async () => {
    class Wider extends Block {
      override forward(x: Tensor): Tensor {
        return super.forward(x);
      }
    }
    const model = new nn.Sequential(new Wider());
    model.registerForwardHook(() => {});
    model[0]!.registerForwardHook(() => {});
    expect((await errorOf(() => model.forward(wrong))).message).toMatch(/^0\.conv1 \(Conv2d\): conv2d: /);
  });

  it('of other kinds pass through', async () => {
    const thrown = new RangeError('my own');
    class Failing extends nn.Module {
      forward(): Tensor {
        throw thrown;
      }
    }
    const error = await errorOf(() => new nn.Sequential(new Failing()).forward(wrong));
    expect(error).toBe(thrown);
    expect(error.message).toBe('my own');
  });

  it('do not name modules that called one that is no part of them', async () => {
    const elsewhere = new Block();
    class Caller extends nn.Module {
      forward(x: Tensor): Tensor {
        return elsewhere.forward(x);
      }
    }
    const error = await errorOf(() => new nn.Sequential(new Caller()).forward(wrong));
    expect(error.message).toMatch(/^conv1 \(Conv2d\): conv2d: /);
  });
});

it('forwards keep their names and numbers of arguments', () => {
  const { forward } = new nn.MaxUnpool2d(2);
  expect([forward.name, forward.length]).toEqual(['forward', 2]);
  expect(Object.keys(new Block())).not.toContain('forward');
});
