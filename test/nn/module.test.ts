import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DeviceError,
  DisposedError,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { itRefuses } from '../support/refusals.js';

class Block extends nn.Module {
  fullyConnected = new nn.Linear(2, 3);
  norm = new nn.BatchNorm2d(3);
  outScale = new nn.Parameter(ones([3]));
  running!: Tensor;
  scratch!: Tensor;
  notes = [1, 2];
  plain = zeros([5]);

  constructor() {
    super();
    this.registerBuffer('running', zeros([2]));
    this.registerBuffer('scratch', zeros([1]), { persistent: false });
  }

  forward(x: Tensor): Tensor {
    return this.fullyConnected.forward(x).mul(this.outScale);
  }
}

const keys = (entries: Iterable<[string, unknown]>) => [...entries].map(([key]) => key);
const PARAMETERS = [
  'out_scale',
  'fully_connected.weight',
  'fully_connected.bias',
  'norm.weight',
  'norm.bias',
];
const BUFFERS = ['running', 'norm.running_mean', 'norm.running_var', 'norm.num_batches_tracked'];

const without = (state: nn.StateDict, key: string) =>
  Object.fromEntries(Object.entries(state).filter(([name]) => name !== key));

itRefuses([
  [
    'a parameter that is no Tensor',
    () => new nn.Parameter(3 as never),
    ArgumentError,
    'Expected a Tensor for data',
  ],
  [
    'a layer that is none',
    () => new nn.Sequential(new nn.ReLU(), {} as never),
    ArgumentError,
    'Expected a Module for layers[1] but received Object (object)',
  ],
  ['no state', () => new Block().loadStateDict(null as never), ArgumentError, 'for state but received null'],
  [
    'a state that lacks a key',
    () => new Block().loadStateDict(without(new Block().stateDict(), 'running')),
    CheckpointError,
    'Expected the keys of Block for state but received others: missing running; unexpected none',
  ],
  [
    'a state with a key too many',
    () => new Block().loadStateDict({ ...new Block().stateDict(), extra: zeros([1]) }),
    CheckpointError,
    'missing none; unexpected extra',
  ],
  [
    'many missing keys, of which it names six',
    () => new Block().loadStateDict({}),
    CheckpointError,
    'missing out_scale, fully_connected.weight, fully_connected.bias, norm.weight, norm.bias, running and 3 more',
  ],
  [
    'a shape that does not fit',
    () => new Block().loadStateDict({ ...new Block().stateDict(), 'fully_connected.weight': zeros([3, 4]) }),
    CheckpointError,
    'Expected shape [3, 2] for fully_connected.weight of Block but received [3, 4]',
  ],
  [
    'a value that is no Tensor',
    () => new Block().loadStateDict({ ...new Block().stateDict(), running: 1 as never }),
    ArgumentError,
    "Expected a Tensor for state['running'] but received 1 (number)",
  ],
  [
    'a value that is disposed',
    () => {
      const running = zeros([2]);
      running.dispose();
      new Block().loadStateDict({ ...new Block().stateDict(), running });
    },
    DisposedError,
    'disposed',
  ],
  ['a device that is not there', () => new Block().to({ device: 'tpu' as never }), DeviceError, "'tpu'"],
]);

describe('the tree', () => {
  const block = new Block();

  it('finds parameters and buffers by their snake_case keys', () => {
    expect(keys(block.namedParameters())).toEqual(PARAMETERS);
    expect(keys(block.namedBuffers()).sort()).toEqual([...BUFFERS, 'scratch'].sort());
    expect([...block.parameters()]).toHaveLength(5);
    expect([...block.parameters()].every((p) => p.requiresGrad && p.isLeaf)).toBe(true);
    expect([...block.namedBuffers()].every(([, b]) => !b.requiresGrad)).toBe(true);
  });

  it('finds modules, itself first', () => {
    expect(keys(block.namedModules())).toEqual(['', 'fully_connected', 'norm']);
    expect(keys(block.namedChildren())).toEqual(['fully_connected', 'norm']);
    expect([...block.modules()][0]).toBe(block);
  });

  it('counts a shared parameter once', () => {
    class Tied extends nn.Module {
      a = new nn.Linear(2, 2, { bias: false });
      b = new nn.Linear(2, 2, { bias: false });
      constructor() {
        super();
        this.b.weight = this.a.weight;
      }
      forward(x: Tensor) {
        return this.b.forward(this.a.forward(x));
      }
    }
    expect(keys(new Tied().namedParameters())).toEqual(['a.weight']);
  });

  it('keeps its tensors out of tidy blocks', () => {
    const made = tidy(() => {
      const module = new Block();
      return () => module;
    })();
    expect(made.outScale.isDisposed).toBe(false);
    expect(made.running.isDisposed).toBe(false);
  });

  it('prints as PyTorch prints it', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.Sequential(new nn.ReLU(), new nn.Dropout(0.1)));
    const text = `Sequential(
  (0): Linear(2, 3, bias=true)
  (1): Sequential(
    (0): ReLU()
    (1): Dropout(p=0.1)
  )
)`;
    expect(net.toString()).toBe(text);
    expect(inspect(net)).toBe(text);
  });

  it('applies a function to children first', () => {
    const seen: string[] = [];
    expect(block.apply((module) => seen.push(module.constructor.name))).toBe(block);
    expect(seen).toEqual(['Linear', 'BatchNorm2d', 'Block']);
  });
});

it('names a module that contains itself, which a private field may', () => {
  class Part extends nn.Module {
    readonly #above: nn.Module;
    above?: nn.Module;
    constructor(above: nn.Module) {
      super();
      this.#above = above;
    }
    forward(x: Tensor) {
      return this.#above.training ? x : x.mul(2);
    }
  }
  class Whole extends nn.Module {
    part = new Part(this);
    forward(x: Tensor) {
      return this.part.forward(x);
    }
  }
  const whole = new Whole();
  expect([...whole.modules()]).toHaveLength(2);
  whole.part.above = whole;
  const message = 'Expected a tree of modules but Whole contains itself as part.above: a #private field may';
  for (const use of [
    () => [...whole.parameters()],
    () => whole.eval(),
    () => whole.toString(),
    () => whole.stateDict(),
  ])
    expect(use).toThrow(message);
  expect(() => whole.apply(() => {})).toThrow(message);
});

describe('modes and gradients', () => {
  it('train and eval reach every module', () => {
    const block = new Block();
    const modes = () => [...block.modules()].map((module) => module.training);
    expect(modes()).toEqual([true, true, true]);
    expect(block.eval()).toBe(block);
    expect(modes()).toEqual([false, false, false]);
    block.train();
    expect(modes()).toEqual([true, true, true]);
  });

  it('requiresGrad_ freezes and zeroGrad drops', () => {
    const block = new Block();
    block
      .forward(ones([1, 2]))
      .sum()
      .backward();
    expect(block.outScale.grad).not.toBe(null);
    block.zeroGrad();
    expect(block.outScale.grad).toBe(null);
    block.requiresGrad_(false);
    expect(block.forward(ones([1, 2])).requiresGrad).toBe(false);
    expect(block.requiresGrad_().forward(ones([1, 2])).requiresGrad).toBe(true);
  });
});

describe('the state', () => {
  it('has parameters and persistent buffers, detached and shared', () => {
    const block = new Block();
    const state = block.stateDict();
    expect(Object.keys(state).sort()).toEqual([...PARAMETERS, ...BUFFERS].sort());
    expect(Object.values(state).some((t) => t.requiresGrad)).toBe(false);
    state.out_scale!.fill_(7);
    expect(block.outScale.arraySync()).toEqual([7, 7, 7]);
  });

  it('is copied into another module, dtypes converted', () => {
    const [from, to] = [new Block(), new Block()];
    const weight = to.fullyConnected.weight;
    const state = { ...from.stateDict(), running: tensor([1, 2], { dtype: 'float64' }) };
    expect(to.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    expect(to.fullyConnected.weight).toBe(weight);
    expect(to.fullyConnected.weight.equal(from.fullyConnected.weight)).toBe(true);
    expect([to.running.dtype, to.running.arraySync()]).toEqual(['float32', [1, 2]]);
    from.fullyConnected.weight.detach().fill_(0);
    expect(to.fullyConnected.weight.equal(from.fullyConnected.weight)).toBe(false);
    expect(to.fullyConnected.weight.requiresGrad).toBe(true);
  });

  it('is loaded in part when not strict', () => {
    const block = new Block();
    const result = block.loadStateDict({ out_scale: zeros([3]), extra: zeros([1]) }, { strict: false });
    expect(block.outScale.arraySync()).toEqual([0, 0, 0]);
    expect(result.unexpected).toEqual(['extra']);
    expect(result.missing).toContain('fully_connected.weight');
    expect(result.missing).toHaveLength(8);
  });

  it('is unchanged if the state does not fit', () => {
    const block = new Block();
    const before = block.outScale.arraySync();
    const bad = { ...new Block().stateDict(), out_scale: zeros([3]), 'norm.bias': zeros([4]) };
    expect(() => block.loadStateDict(bad)).toThrow(CheckpointError);
    expect(() => block.loadStateDict({ out_scale: zeros([3]) })).toThrow(CheckpointError);
    expect(() => block.loadStateDict(bad, { strict: false })).toThrow('norm.bias');
    expect(block.outScale.arraySync()).toEqual(before);
  });
});

describe('to', () => {
  it('keeps identity, integers and gradients, so that an optimizer continues', () => {
    const block = new Block();
    const weight = block.fullyConnected.weight;
    const optimizer = new optim.SGD(block.parameters(), { lr: 1 });
    block
      .forward(ones([1, 2]))
      .sum()
      .backward();
    expect(block.to({ dtype: 'float64' })).toBe(block);
    expect(block.fullyConnected.weight).toBe(weight);
    expect([weight.dtype, weight.isLeaf, weight.requiresGrad, weight.grad!.dtype]).toEqual([
      'float64',
      true,
      true,
      'float64',
    ]);
    expect([block.norm.runningMean!.dtype, block.norm.numBatchesTracked!.dtype]).toEqual([
      'float64',
      'int64',
    ]);
    const before = weight.detach().clone();
    optimizer.step();
    expect(weight.sub(before).arraySync()).toEqual(weight.grad!.neg().arraySync());
    optimizer.zeroGrad();
    block
      .forward(ones([1, 2], { dtype: 'float64' }))
      .sum()
      .backward();
    optimizer.step();
    expect(weight.equal(before)).toBe(false);
  });

  it('does not change the module if the device does not exist', () => {
    const block = new Block();
    const device = native.cudaBuilt() ? 'cuda:99' : 'cuda';
    expect(() => block.to({ device, dtype: 'float64' })).toThrow(DeviceError);
    expect([...block.parameters()].map((p) => p.dtype)).toEqual(new Array(5).fill('float32'));
  });
});

describe('hooks', () => {
  it('see inputs and output of every forward until removed', () => {
    const relu = new nn.ReLU();
    const net = new nn.Sequential(relu);
    const calls: unknown[] = [];
    const first = relu.registerForwardHook((module, inputs, output) => {
      calls.push([module === relu, (inputs[0] as Tensor).item(), (output as Tensor).item()]);
    });
    const second = relu.registerForwardHook(() => calls.push('second'));
    expect(net.forward(tensor(-2)).item()).toBe(0);
    expect(calls).toEqual([[true, -2, 0], 'second']);
    first.remove();
    net.forward(tensor(1));
    second.remove();
    second.remove();
    net.forward(tensor(1));
    expect(calls).toEqual([[true, -2, 0], 'second', 'second']);
    expect(Object.keys(relu)).not.toContain('forward');
  });

  it('may replace inputs and outputs', () => {
    const relu = new nn.ReLU();
    const order: string[] = [];
    const handles = [
      relu.registerForwardPreHook((_, [x]) => [(x as Tensor).sub(1)]),
      relu.registerForwardPreHook(() => void order.push('pre')),
      relu.registerForwardHook((_, [x], y) => {
        order.push('post');
        return (y as Tensor).mul(10).add(x as Tensor);
      }),
    ];
    expect(relu.forward(tensor(3)).item()).toBe(22);
    expect(order).toEqual(['pre', 'post']);
    handles[0]!.remove();
    expect(relu.forward(tensor(3)).item()).toBe(33);
    for (const handle of handles) handle.remove();
    expect(relu.forward(tensor(3)).item()).toBe(3);
    expect(() => relu.registerForwardPreHook(1 as never)).toThrow('Expected a function for hook');
    // The same function added twice is two hooks.
    let calls = 0;
    const count = () => void calls++;
    const twice = [relu.registerForwardHook(count), relu.registerForwardHook(count)];
    twice[0]!.remove();
    relu.forward(tensor(1));
    expect(calls).toBe(1);
  });

  it('need forward to be a method', () => {
    class Field extends nn.Module {
      override forward = (x: Tensor) => x;
    }
    expect(() => new Field().registerForwardHook(() => undefined)).toThrow(
      'to be a method, not a field, for hooks',
    );
  });
});

it('Sequential chains layers and gives access to them', () => {
  const net = new nn.Sequential(new nn.Flatten(), new nn.Linear(4, 2), new nn.ReLU());
  expect(net.forward(zeros([3, 2, 2])).shape).toEqual([3, 2]);
  expect(net.length).toBe(3);
  expect(net[1]).toBe(net.at(-2));
  expect([...net].map((layer) => layer.constructor.name)).toEqual(['Flatten', 'Linear', 'ReLU']);
  expect(keys(net.namedParameters())).toEqual(['1.weight', '1.bias']);
  expect(net.at(9)).toBe(undefined);
  const input = zeros([1]);
  expect(new nn.Sequential().forward(input)).toBe(input);
});

it('saves a shared parameter under each of its keys, as PyTorch does', () => {
  class Tied extends nn.Module {
    encoder = new nn.Linear(3, 2, { bias: false });
    decoder = new nn.Linear(3, 2, { bias: false });
    constructor() {
      super();
      this.decoder.weight = this.encoder.weight;
    }
    forward(x: Tensor): Tensor {
      return this.decoder.forward(x);
    }
  }
  const model = new Tied();
  expect([...model.parameters()]).toHaveLength(1);
  expect(Object.keys(model.stateDict())).toEqual(['encoder.weight', 'decoder.weight']);
  expect(new Tied().loadStateDict(model.stateDict())).toEqual({ missing: [], unexpected: [] });
});
