/** Names of fields and keys of states, and states that do not fit exactly. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import { full, nn, ones, type Tensor, zeros } from '../../lib/index.js';

class Camel extends nn.Module {
  convBlock = new nn.Linear(1, 1);
  conv3X3 = new nn.Linear(1, 1);
  LayerNorm = new nn.LayerNorm(1);
  bn_1 = new nn.BatchNorm1d(1);
  forward(x: Tensor) {
    return x;
  }
}

/** A state with the keys of `module`, renamed, each tensor filled with its number. */
function renamed(module: nn.Module, rename: (key: string) => string): Record<string, Tensor> {
  const entries = Object.entries(module.stateDict());
  return Object.fromEntries(
    entries.map(([key, { shape, dtype }], i) => [rename(key), full(shape, i + 1, { dtype })]),
  );
}
const numbers = (module: nn.Module) => Object.values(module.stateDict()).map((tensor) => tensor.arraySync());

describe('keys of fields', () => {
  it('are snake_case for camelCase, and the field itself with a capital first or in snake_case', () => {
    const keys = [...new Set(Object.keys(new Camel().stateDict()).map((key) => key.split('.')[0]))];
    expect(keys).toEqual(['conv_block', 'conv3_x3', 'LayerNorm', 'bn_1']);
  });

  it('are those of stateKeys, which classes inherit', () => {
    class Named extends Camel {
      static override stateKeys: Record<string, string> = { conv3X3: 'conv3X3', convBlock: 'Conv2d_1a_3x3' };
    }
    class Below extends Named {
      static override stateKeys = { bn_1: 'batchNorm' };
      scale = new nn.Parameter(ones([1]));
    }
    const keys = new Set(Object.keys(new Below().stateDict()).map((key) => key.split('.')[0]));
    expect(keys).toEqual(new Set(['Conv2d_1a_3x3', 'conv3X3', 'LayerNorm', 'batchNorm', 'scale']));
    const state = renamed(new Below(), (key) => key);
    expect(loaded(new Below(), state).stateDict()['batchNorm.running_var']!.arraySync()).toEqual(
      state['batchNorm.running_var']!.arraySync(),
    );
  });

  it('may not be the same for two fields', () => {
    class Twice extends nn.Module {
      convA = new nn.Linear(1, 1);
      conv_a = new nn.Linear(1, 1);
      forward(x: Tensor) {
        return x;
      }
    }
    expect(() => new Twice().stateDict()).toThrow(ArgumentError);
    expect(() => new Twice().stateDict()).toThrow(
      'a unique key for each tensor of Twice but two have conv_a.weight',
    );
    class Dotted extends Camel {
      static override stateKeys = { bn_1: 'a.b' };
    }
    expect(() => new Dotted().stateDict()).toThrow(
      "Expected a name without dots for stateKeys.bn_1 but received 'a.b'",
    );
  });
});

function loaded<M extends nn.Module>(module: M, state: Record<string, Tensor>): M {
  expect(module.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
  return module;
}

describe('a state with other spellings', () => {
  class Net extends nn.Module {
    firstBlock = new Camel();
    headLayers = new nn.Sequential(new nn.Linear(1, 1), new Camel());
    byName = new nn.ModuleDict({ outConv: new nn.Linear(1, 1) });
    forward(x: Tensor) {
      return x;
    }
  }
  const own = numbers(
    loaded(
      new Net(),
      renamed(new Net(), (key) => key),
    ),
  );

  it('is loaded where the fields are written so: a PyTorch network in camelCase', () => {
    const camel = (key: string) =>
      key
        .replace('first_block', 'firstBlock')
        .replace('head_layers', 'headLayers')
        .replace('by_name', 'byName')
        .replace('conv_block', 'convBlock')
        .replace('conv3_x3', 'conv3X3');
    expect(numbers(loaded(new Net(), renamed(new Net(), camel)))).toEqual(own);
  });

  it('is loaded where an earlier version saved a field with a capital first', () => {
    const former = (key: string) => key.replace('LayerNorm', 'Layer_norm');
    expect(numbers(loaded(new Net(), renamed(new Net(), former)))).toEqual(own);
  });

  it('gives no key twice, and names of a ModuleDict stand as they are', () => {
    const state = renamed(new Net(), (key) => key);
    const twice = { ...state, 'first_block.convBlock.weight': zeros([1, 1]) };
    expect(new Net().loadStateDict(twice, { strict: false }).unexpected).toEqual([
      'first_block.convBlock.weight',
    ]);
    const dictionary = renamed(new Net(), (key) => key.replace('outConv', 'out_conv'));
    expect(() => new Net().loadStateDict(dictionary)).toThrow(/missing by_name.outConv.weight/);
  });
});

describe('a state that does not quite fit', () => {
  const make = () => new nn.Sequential(new nn.Conv2d(1, 2, 1), new nn.BatchNorm2d(2));

  it('may lack num_batches_tracked, which is then unchanged', () => {
    const state = renamed(make(), (key) => key);
    delete state['1.num_batches_tracked'];
    const model = make();
    model.forward(ones([1, 1, 2, 2]));
    loaded(model, state);
    expect(model.stateDict()['1.num_batches_tracked']!.item()).toBe(1);
    delete state['1.running_mean'];
    expect(() => make().loadStateDict(state)).toThrow(/missing 1.running_mean; unexpected none/);
  });

  it('may have a counter of the shape [1], as PyTorch before 0.4 saved it', () => {
    const state = {
      ...renamed(make(), (key) => key),
      '1.num_batches_tracked': full([1], 9, { dtype: 'int64' }),
    };
    expect(loaded(make(), state).stateDict()['1.num_batches_tracked']!.item()).toBe(9);
  });

  it('names a superfluous or missing prefix', () => {
    const state = renamed(make(), (key) => `module.${key}`);
    const hint =
      /begin with 'module\.', which torch\.nn\.DataParallel adds; without it they fit: (Object\.fromEntries\(.*\))$/;
    let message = '';
    try {
      make().loadStateDict(state);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(hint);
    // The code in the message works.
    const stripped = new Function('state', `return ${hint.exec(message)![1]}`)(state) as typeof state;
    loaded(make(), stripped);
    expect(() => new nn.Sequential(make()).loadStateDict(make().stateDict())).toThrow(
      /The keys of the state lack '0\.' in front$/,
    );
    expect(() => make().loadStateDict({ other: zeros([1]) })).toThrow(/unexpected other$/);
  });

  it('lists every wrong shape, and does not change the module', () => {
    const model = make();
    const before = numbers(model);
    const state = { ...renamed(make(), (key) => key), '0.weight': zeros([2, 1]), '1.bias': zeros([3]) };
    expect(() => model.loadStateDict(state)).toThrow(CheckpointError);
    expect(() => model.loadStateDict(state)).toThrow(
      'Expected shape [2, 1, 1, 1] for 0.weight of Sequential but received [2, 1]; 1 more differ: 1.bias',
    );
    expect(numbers(model)).toEqual(before);
    expect(model.loadStateDict(state, { ignoreMismatched: true })).toEqual({
      missing: [],
      unexpected: [],
      mismatched: ['0.weight', '1.bias'],
    });
    expect(model.stateDict()['1.weight']!.arraySync()).toEqual([3, 3]);
  });
});
