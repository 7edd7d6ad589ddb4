import { afterEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  cat,
  emptyCache,
  functional as F,
  manualSeed,
  memory,
  models,
  nn,
  ones,
  randn,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { limit } from '../support/limit.js';

afterEach(() => expect(native.isRecording()).toBe(false));

/** Largest difference of two tensors, over the largest value. */
function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  expect(a.dtype).toBe(b.dtype);
  const scale = Math.max(1, Number(b.abs().max().item()));
  return Number(a.sub(b).abs().max().item()) / scale;
}

/** Compiles and compares with the eager forward for batches of 1 to 5. */
function checkBatches(module: nn.Module, shape: readonly number[]): nn.Program {
  module.eval();
  const program = nn.compile(module, zeros([2, ...shape]));
  for (let batch = 1; batch <= 5; batch++) {
    const x = randn([batch, ...shape]);
    // Twice: the second run follows the memory plan of the first.
    for (let run = 0; run < 3; run++)
      expect(difference(program.runSync(x), module.forward(x))).toBeLessThan(1e-5);
  }
  return program;
}

class Residual extends nn.Module {
  conv1 = new nn.Conv2d(3, 8, 3, { padding: 1, bias: false });
  norm1 = new nn.BatchNorm2d(8);
  conv2 = new nn.Conv2d(8, 8, 3, { padding: 1, bias: false });
  norm2 = new nn.BatchNorm2d(8);
  fc = new nn.Linear(8, 4);
  forward(x: Tensor): Tensor {
    const y = this.norm1.forward(this.conv1.forward(x)).relu();
    const z = this.norm2.forward(this.conv2.forward(y)).add(y).relu_();
    return this.fc.forward(F.adaptiveAvgPool2d(z, 1).flatten(1));
  }
}

/** Inverted residual with squeeze and excitation, as in MobileNetV3. */
class Mobile extends nn.Module {
  expand = new nn.Conv2d(4, 12, 1);
  depthwise = new nn.Conv2d(12, 12, 3, { padding: 1, groups: 12 });
  squeeze = new nn.Conv2d(12, 3, 1);
  excite = new nn.Conv2d(3, 12, 1);
  project = new nn.Conv2d(12, 4, 1);
  forward(x: Tensor): Tensor {
    const y = F.hardswish(this.depthwise.forward(F.hardswish(this.expand.forward(x))));
    const s = F.hardsigmoid(
      this.excite.forward(this.squeeze.forward(y.mean({ dim: [2, 3], keepdim: true })).relu()),
    );
    return this.project.forward(y.mul(s)).add(x);
  }
}

class Attention extends nn.Module {
  norm = new nn.LayerNorm([8]);
  query = new nn.Linear(8, 8);
  key = new nn.Linear(8, 8);
  value = new nn.Linear(8, 8);
  forward(x: Tensor): Tensor {
    const [batch, length] = x.shape as [number, number];
    const y = this.norm.forward(x);
    const heads = (t: Tensor) => t.reshape([batch, length, 2, 4]).transpose(1, 2);
    const [q, k, v] = [this.query, this.key, this.value].map((layer) => heads(layer.forward(y)));
    const scores = q!.matmul(k!.transpose(-1, -2)).div(Math.sqrt(4)).softmax({ dim: -1 });
    return scores.matmul(v!).transpose(1, 2).reshape([batch, length, 8]).add(x);
  }
}

class Tokens extends nn.Module<[Tensor], Tensor> {
  embedding = new nn.Embedding(11, 8);
  block = new Attention();
  forward(tokens: Tensor): Tensor {
    const x = this.embedding.forward(tokens).add(zeros([tokens.shape[1]!, 8]).add(0.5));
    return this.block.forward(x).select(1, 0);
  }
}

describe('compiled networks give the results of the forward', () => {
  it.each(['alexnet', 'alexnet-dy'] as const)(
    '%s',
    (name) => {
      manualSeed(1);
      const program = checkBatches(models.create(name, { numClasses: 10 }), [3, 128, 128]);
      expect(program.toString()).toMatch(/^Program\(%\d+ float32 \[B, 3, 128, 128\]\) -> %\d+\n/);
    },
    limit(60_000),
  );

  it('a residual block with batch norm and a change in place', () => {
    checkBatches(new Residual(), [3, 9, 7]);
  });

  it('an inverted residual with squeeze and excitation', () => {
    checkBatches(new Mobile(), [4, 8, 8]);
  });

  it('attention', () => {
    checkBatches(new Attention(), [5, 8]);
  });

  it('tokens: int64 inputs', () => {
    const module = new Tokens().eval();
    const program = nn.compile(module, zeros([1, 6], { dtype: 'int64' }));
    const tokens = tensor(
      [
        [1, 2, 3, 4, 5, 10],
        [0, 9, 8, 7, 6, 5],
      ],
      { dtype: 'int64' },
    );
    expect(difference(program.runSync(tokens), module.forward(tokens))).toBeLessThan(1e-6);
  });

  it('several inputs and outputs, with tensors that are made from the batch size', () => {
    const forward = (a: Tensor, b: Tensor) => {
      const rows = ones([a.shape[0]!, 1]).mul(3);
      return { sum: a.add(b), parts: [cat([a, rows], { dim: 1 }), b.mean()], rows: a.shape[0]! };
    };
    const program = nn.compile(forward, [zeros([2, 4]), zeros([4])]);
    const [a, b] = [randn([3, 4]), randn([4])];
    const result = program.runSync([a, b]);
    expect(result.rows).toBe(3);
    expect(result.parts[0]!.arraySync()).toEqual(forward(a, b).parts[0]!.arraySync());
    expect(result.sum.arraySync()).toEqual(a.add(b).arraySync());
  });
});

describe('parameters', () => {
  it('are shared: a changed one is seen, in steps that run once as well', () => {
    const weight = new nn.Parameter(ones([2, 3]));
    class Scaled extends nn.Module {
      weight = weight;
      forward(x: Tensor): Tensor {
        return x.matmul(this.weight.exp().t());
      }
    }
    const module = new Scaled().eval();
    const program = nn.compile(module, zeros([1, 3]));
    const x = ones([1, 3]);
    expect(Number(program.runSync(x).sum().item())).toBeCloseTo(6 * Math.E, 4);
    module.loadStateDict({ weight: zeros([2, 3]) });
    expect(program.runSync(x).arraySync()).toEqual([[3, 3]]);
    program.loadStateDict({ weight: ones([2, 3]) });
    expect(Number(weight.sum().item())).toBe(6);
    expect(Number(program.runSync(x).sum().item())).toBeCloseTo(6 * Math.E, 4);
    expect(() => program.loadStateDict({ weight: ones([3, 3]) })).toThrow(
      'Expected shape [2, 3] for weight of the program but received [3, 3]',
    );
    expect(() => program.loadStateDict({})).toThrow('missing [weight]');
  });

  it('an output that is a part of the input is a copy', () => {
    const program = nn.compile((x: Tensor) => x.flatten(1), zeros([1, 2, 2]));
    const x = ones([1, 2, 2]);
    const y = program.runSync(x);
    x.fill_(5);
    expect(y.arraySync()).toEqual([[1, 1, 1, 1]]);
  });
});

describe('what cannot be compiled is an error that names operation and line', () => {
  const example = zeros([2, 3]);
  const refused: [string, (x: Tensor) => Tensor, RegExp][] = [
    [
      'item()',
      (x) => (Number(x.sum().item()) > 0 ? x : x.neg()),
      /item\(\) at compile\.test\.ts:\d+:\d+ reads values that depend on the input/,
    ],
    [
      'dataSync()',
      (x) => tensor(x.dataSync() as Float32Array),
      /dataSync\(\) at compile\.test\.ts:\d+:\d+ takes|reads/,
    ],
    ['toString()', (x) => (x.toString().length > 3 ? x : x.neg()), /at compile\.test\.ts/],
    [
      'random numbers',
      (x) => x.add(randn([3])),
      /randn\(\) at compile\.test\.ts:\d+:\d+ draws random numbers/,
    ],
    [
      'random numbers in place',
      (x) => x.add(ones([3]).bernoulli_({ p: 0.5 })),
      /bernoulli_\(\) at .* draws random numbers/,
    ],
    ['dropout', (x) => F.dropout(x, { p: 0.5, training: true }), /draws random numbers/],
    [
      'a change of the input',
      (x) => x.relu_(),
      /relu_\(\) at compile\.test\.ts:\d+:\d+ changes an input in place/,
    ],
    ['a change of a view of the input', (x) => x.narrow(0, 0, 1).add_(1), /changes an input in place/],
    [
      'a size that depends on values',
      (x) => x.reshape([x.nonzero().shape[0]! * 0 + x.shape[0]!, 3]),
      /shape\(\) at .* reads a size that depends on the values/,
    ],
    [
      'a path that depends on the batch',
      (x) => (x.shape[0]! > 2 ? x.relu() : x.neg()),
      /step 0 is neg\(\) at compile\.test\.ts:\d+:\d+ for 1 and relu\(\) at compile\.test\.ts:\d+:\d+ for 3/,
    ],
    [
      'a number that is no line',
      (x) => x.mul(x.shape[0]! ** 2),
      /other of mul\(\) at compile\.test\.ts:\d+:\d+ is 1 for 1, 4 for 2, 9 for 3, 25 for 5/,
    ],
    ['a promise', (async (x: Tensor) => x) as unknown as (x: Tensor) => Tensor, /received a promise/],
    ['no tensor', (() => 3) as unknown as (x: Tensor) => Tensor, /received 3 \(number\)/],
  ];
  it.each(refused)('%s', (_, forward, message) => {
    expect(() => nn.compile(forward, example)).toThrow(message);
  });

  it('a parameter or constant that is changed in place', () => {
    class Counting extends nn.Module {
      counter = new nn.Parameter(zeros([1]), { requiresGrad: false });
      forward(x: Tensor): Tensor {
        this.counter.add_(1);
        return x.add(this.counter);
      }
    }
    expect(() => nn.compile(new Counting().eval(), example)).toThrow('changes counter in place');
    const constant = ones([3]);
    expect(() => nn.compile((x: Tensor) => x.add(constant.mul_(2)), example)).toThrow(
      'changes a constant in place',
    );
  });

  it('a module in training mode, with its name', () => {
    const model = new nn.Sequential(new nn.Linear(3, 3), new nn.Dropout(0.5)).eval();
    (model.at(1) as nn.Module).train();
    expect(() => nn.compile(model, example)).toThrow('but 1 is in training mode: call eval()');
  });

  it('bad arguments', () => {
    expect(() => nn.compile(3 as never, example)).toThrow(
      'Expected a Module or a function of tensors for module',
    );
    expect(() => nn.compile((x: Tensor) => x, [] as never)).toThrow(
      'Expected at least one Tensor for example',
    );
    expect(() => nn.compile((x: Tensor) => x, example, { dtype: 'float16' as never })).toThrow('for dtype');
    expect(() => nn.compile((x: Tensor) => x, zeros([]))).toThrow('Expected a batch of at least 1');
    expect(() => nn.compile((x: Tensor) => nn.compile((y: Tensor) => y, x).runSync(x), example)).toThrow(
      'within forward',
    );
  });

  it('a forward that is asynchronous, whose own failure is not an unhandled rejection', async () => {
    const failing = async () => Promise.reject(new Error('later'));
    expect(() => nn.compile(failing as never, example)).toThrow(
      new ArgumentError('Expected forward to return tensors but received a promise'),
    );
    await new Promise((resolve) => setTimeout(resolve, 1)); // vitest fails for an unhandled rejection
  });

  it('{ dynamicBatch: false } compiles a forward for one batch size', () => {
    const forward = (x: Tensor) => x.mul(x.shape[0]! ** 2);
    const program = nn.compile(forward, example, { dynamicBatch: false });
    expect(program.runSync(ones([2, 3])).arraySync()).toEqual([
      [4, 4, 4],
      [4, 4, 4],
    ]);
    expect(() => program.runSync(ones([3, 3]))).toThrow(
      'Expected [2, 3] for input of the program but received [3, 3]',
    );
  });
});

describe('inputs', () => {
  const program = nn.compile((a: Tensor, b: Tensor) => a.add(b), [zeros([2, 3]), zeros([2, 3])]);
  it.each<[string, unknown, string]>([
    ['count', [ones([2, 3])], 'Expected 2 inputs for the program but received 1'],
    ['type', [ones([2, 3]), 3], 'Expected a Tensor for inputs[1] of the program but received 3'],
    [
      'dtype',
      [ones([2, 3]), ones([2, 3], { dtype: 'int64' })],
      'Expected float32 for inputs[1] of the program but received int64',
    ],
    [
      'shape',
      [ones([2, 4]), ones([2, 4])],
      'Expected [B, 3] for inputs[0] of the program but received [2, 4]',
    ],
    [
      'batch',
      [ones([2, 3]), ones([3, 3])],
      'Expected [B, 3] for inputs[1] of the program but received [3, 3] with B = 2',
    ],
  ])('of another %s', (_, inputs, message) => {
    expect(() => program.runSync(inputs as Tensor[])).toThrow(message);
  });
});

describe('memory', () => {
  it('a warm run allocates its outputs only, and nothing stays', () => {
    const model = models.create('alexnet', { numClasses: 10 }).eval();
    const program = nn.compile(model, zeros([1, 3, 128, 128]));
    const x = randn([2, 3, 128, 128]);
    for (let i = 0; i < 4; i++) program.runSync(x).dispose();
    const before = memory();
    for (let i = 0; i < 10; i++) program.runSync(x).dispose();
    const after = memory();
    expect(after.allocations - before.allocations).toBe(10);
    expect(after.allocatedBytes).toBe(before.allocatedBytes);
    expect(after.numTensors).toBe(before.numTensors);
  });

  it('batch sizes and programs share one buffer, which emptyCache() frees', () => {
    const [first, second] = [16, 24].map((channels) => {
      const model = new nn.Sequential(
        new nn.Conv2d(3, channels, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.Conv2d(channels, channels, 3, { padding: 1 }),
        new nn.AdaptiveAvgPool2d(1),
      );
      return nn.compile(model.eval(), zeros([1, 3, 32, 32]));
    });
    const images = randn([24, 3, 32, 32]);
    const run = (program: typeof first, batch: number) =>
      tidy(() => {
        for (let i = 0; i < 3; i++) program!.runSync(images.narrow(0, 0, batch));
      });
    emptyCache();
    const without = memory();
    run(second, 24);
    const largest = memory();
    expect(largest.allocatedBytes).toBeGreaterThan(without.allocatedBytes + 2 ** 20);
    for (let batch = 1; batch <= 24; batch++) for (const program of [first, second]) run(program, batch);
    const after = memory();
    // Weights are packed once for each program.
    expect(after.allocatedBytes - largest.allocatedBytes).toBeLessThan(2 ** 18);
    expect(after.cachedBytes - without.cachedBytes).toBeLessThan(2 ** 20);
    emptyCache();
    expect(after.allocatedBytes - memory().allocatedBytes).toBeGreaterThan(2 ** 20);
    run(first, 24); // gets another
  });

  it('results that are kept are not overwritten by later runs', () => {
    const program = nn.compile((x: Tensor) => [x.add(1), x.mul(2).sub(1)], zeros([1, 300]));
    const kept = Array.from({ length: 6 }, (_, i) => program.runSync(ones([4, 300]).mul(i)));
    for (const [i, [a, b]] of kept.entries()) {
      expect(Number(a!.sum().item())).toBe(1200 * (i + 1));
      expect(Number(b!.sum().item())).toBe(1200 * (2 * i - 1));
    }
  });
});

it('a branch on the batch size is refused, also one that only the batch of the example takes', () => {
  const branch = (x: Tensor) => (x.shape[0]! > 8 ? x.mul(100) : x.mul(1));
  const rounded = (x: Tensor) => x.mul(Math.ceil(x.shape[0]! / 8));
  for (const compute of [branch, rounded])
    expect(() => nn.compile(compute, zeros([16, 3]))).toThrow(
      'Expected a network that computes the same for every batch size',
    );
});

it('bfloat16: weights and inputs are cast, the result is float32', () => {
  manualSeed(2);
  const model = new Residual().eval();
  const program = nn.compile(model, zeros([1, 3, 9, 9]), { dtype: 'bfloat16' });
  const x = randn([4, 3, 9, 9]);
  const result = program.runSync(x);
  expect(result.dtype).toBe('float32');
  const error = difference(result, model.forward(x));
  expect(error).toBeLessThan(0.05);
  expect(error).toBeGreaterThan(0);
  expect(program.toString()).toContain('bfloat16');
});
