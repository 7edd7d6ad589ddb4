import { describe, expect, it } from 'vitest';
import { ArgumentError, nn, randn, ShapeError, tensor, zeros } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([
  ['no features', () => new nn.BatchNorm2d(0), ArgumentError, 'for numFeatures but received 0 (number)'],
  [
    'features that do not fit',
    () => new nn.BatchNorm2d(3).forward(zeros([2, 2, 4, 4])),
    ShapeError,
    'runningMean',
  ],
  [
    'a shape that does not fit',
    () => new nn.LayerNorm(3).forward(zeros([2, 4])),
    ShapeError,
    'normalizedShape',
  ],
  ['a size of 0', () => new nn.LayerNorm([2, 0]), ArgumentError, 'for normalizedShape but received 0'],
  [
    'groups that do not divide',
    () => new nn.GroupNorm(2, 3),
    ArgumentError,
    'a divisor of numChannels 3 for numGroups',
  ],
  [
    'channels that do not fit',
    () => new nn.GroupNorm(2, 4).forward(zeros([1, 3, 2])),
    ShapeError,
    'channels',
  ],
]);

const images = tensor([
  [[[1, 2]], [[3, 5]]],
  [[[3, 6]], [[7, 9]]],
]);

describe('BatchNorm2d', () => {
  // Values of torch.nn.BatchNorm2d(2).
  it('uses and follows the statistics of the batch while training', () => {
    const layer = new nn.BatchNorm2d(2);
    expectValues(
      layer.forward(images).flatten(),
      [
        -1.0690433979, -0.534521699, -1.3416393995, -0.4472130835, 0, 1.6035650969, 0.4472132027,
        1.3416395187,
      ],
    );
    expectValues(layer.runningMean!, [0.3, 0.6]);
    expectValues(layer.runningVar!, [1.3666666746, 1.5666666031]);
    expect(layer.numBatchesTracked!.item()).toBe(1);
  });

  it('uses the running statistics, and leaves them, when evaluating', () => {
    const layer = new nn.BatchNorm2d(2);
    layer.forward(images);
    layer.eval();
    expectValues(
      layer.forward(images).index(0).flatten(),
      [0.5987770557, 1.4541728497, 1.917438984, 3.5153048038],
    );
    expectValues(layer.runningMean!, [0.3, 0.6]);
    expect(layer.numBatchesTracked!.item()).toBe(1);
  });

  it('scales and shifts', () => {
    const layer = new nn.BatchNorm2d(2).eval();
    layer.weight!.detach().fill_(3);
    layer.bias!.detach().fill_(1);
    expectValues(layer.forward(images).index(0, 0), [[4, 7]], 1e-4);
  });

  it('goes without statistics and without scale', () => {
    const layer = new nn.BatchNorm2d(2, { trackRunningStats: false, affine: false }).eval();
    expectValues(layer.forward(images).index(0, 0), [[-1.0690433979, -0.534521699]]);
    expect(Object.keys(layer.stateDict())).toEqual([]);
  });

  it("has PyTorch's keys", () => {
    const state = new nn.BatchNorm2d(2).stateDict();
    const keys = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'];
    expect(Object.keys(state).sort()).toEqual([...keys].sort());
    expect(state.num_batches_tracked!.dtype).toBe('int64');
    expect(state.num_batches_tracked!.shape).toEqual([]);
    expect(String(new nn.BatchNorm2d(2))).toBe('BatchNorm2d(2, eps=0.00001, momentum=0.1)');
  });

  it('uses momentum and eps', () => {
    const layer = new nn.BatchNorm2d(2, { momentum: 1, eps: 100 });
    const spread = layer.forward(images).std().item();
    expect(spread).toBeLessThan(0.3);
    expectValues(layer.runningMean!, [3, 6]);
  });
});

describe('LayerNorm', () => {
  it('normalizes the last dimensions', () => {
    // torch.nn.LayerNorm(3)
    expectValues(new nn.LayerNorm(3).forward(tensor([[1, 2, 4]])), [
      [-1.0690413714, -0.2672602832, 1.3363018036],
    ]);
    const y = new nn.LayerNorm([2, 3], { affine: false }).forward(randn([5, 2, 3]));
    expectValues(y.mean({ dim: [1, 2] }), [0, 0, 0, 0, 0], 1e-5);
    expect(String(new nn.LayerNorm([2, 3]))).toBe('LayerNorm([2, 3], eps=0.00001)');
  });
});

describe('GroupNorm', () => {
  it('normalizes groups of channels', () => {
    // torch.nn.GroupNorm(1, 2)
    const x = tensor([
      [
        [1, 2],
        [3, 6],
      ],
    ]);
    expectValues(new nn.GroupNorm(1, 2).forward(x), [
      [
        [-1.0690433979, -0.534521699],
        [0, 1.6035650969],
      ],
    ]);
    expectValues(
      new nn.GroupNorm(2, 2).forward(x),
      [
        [
          [-1, 1],
          [-1, 1],
        ],
      ],
      1e-4,
    );
    expect(Object.keys(new nn.GroupNorm(1, 2).stateDict())).toEqual(['weight', 'bias']);
  });
});

describe('statistics of a single value', () => {
  const several = 'Expected more than 1 value per';

  it.each([
    [new nn.BatchNorm1d(3), [1, 3]],
    [new nn.BatchNorm1d(3), [1, 3, 1]],
    [new nn.BatchNorm2d(3), [1, 3, 1, 1]],
    [new nn.BatchNorm2d(3).to({ dtype: 'float64' }), [1, 3, 1, 1]],
    [new nn.BatchNorm3d(3), [1, 3, 1, 1, 1]],
    [new nn.BatchNorm2d(3, { momentum: null }), [1, 3, 1, 1]],
  ])('are refused by %s in training and leave its buffers alone', (layer, shape) => {
    const { dtype } = layer.weight!;
    layer.forward(randn([8, ...shape.slice(1)], { dtype }));
    const before = layer.runningVar!.arraySync();
    expect(() => layer.forward(randn(shape, { dtype }))).toThrow(ShapeError);
    expect(() => layer.forward(randn(shape, { dtype }))).toThrow(`${several} channel for input`);
    expectValues(layer.runningVar!, before);
    expect(layer.numBatchesTracked!.item()).toBe(1);
    const y = layer.eval().forward(zeros(shape, { dtype }));
    expect(y.isfinite().all().item()).toBe(1);
  });

  it('are rejected if statistics come from the batch alone', () => {
    const layer = new nn.BatchNorm1d(3, { trackRunningStats: false }).eval();
    expect(() => layer.forward(zeros([1, 3]))).toThrow(several);
    expect(layer.forward(zeros([0, 3])).shape).toEqual([0, 3]);
  });

  it('are refused by instance norms, which have them in evaluation too', () => {
    expect(() => new nn.InstanceNorm2d(3).forward(zeros([4, 3, 1, 1]))).toThrow(several);
    expect(() => new nn.InstanceNorm1d(3).eval().forward(zeros([3, 1]))).toThrow(several);
    expect(() => new nn.InstanceNorm2d(3).forward(zeros([4, 3, 1, 1]))).toThrow(ShapeError);
    const tracked = new nn.InstanceNorm2d(3, { trackRunningStats: true }).eval();
    expect(tracked.forward(zeros([4, 3, 1, 1])).shape).toEqual([4, 3, 1, 1]);
  });

  it('are refused by group norms of a single sample, as in PyTorch', () => {
    expect(() => new nn.GroupNorm(3, 3).forward(zeros([1, 3]))).toThrow(`${several} group`);
    expect(new nn.GroupNorm(3, 3).forward(zeros([2, 3])).shape).toEqual([2, 3]);
    expect(new nn.GroupNorm(1, 3).forward(zeros([1, 3])).shape).toEqual([1, 3]);
  });
});

describe('scale without shift', () => {
  const x = tensor([
    [1, 2, 4],
    [3, 6, 5],
  ]);

  // Values of torch.nn.BatchNorm1d(3, bias=False) and torch.nn.LayerNorm(3, bias=False).
  it('remains with bias: false', () => {
    const batch = new nn.BatchNorm1d(3, { bias: false });
    const wanted = [
      [-1, -1, -1],
      [1, 1, 1],
    ];
    expectValues(batch.forward(x), wanted, 1e-4);
    const statistics = ['running_mean', 'running_var', 'num_batches_tracked'];
    expect(Object.keys(batch.stateDict())).toEqual(['weight', ...statistics]);
    const layer = new nn.LayerNorm(3, { bias: false });
    expectValues(layer.forward(x).index(0), [-1.0690413714, -0.2672602832, 1.3363018036]);
    expect(Object.keys(layer.stateDict())).toEqual(['weight']);
    expect(new nn.GroupNorm(1, 2, { bias: false }).bias).toBeNull();
    expect(new nn.InstanceNorm1d(2, { affine: true, bias: false }).bias).toBeNull();
  });

  it('differentiates by the kernels of images', () => {
    const layer = new nn.BatchNorm2d(2, { bias: false });
    layer
      .forward(randn([4, 2, 6, 6]))
      .square()
      .sum()
      .backward();
    expect(layer.weight!.grad!.shape).toEqual([2]);
  });
});

describe('InstanceNorm', () => {
  // Values of torch.nn.InstanceNorm1d(2).
  it('accepts a single sample without a batch dimension', () => {
    const x = tensor([
      [1, 2, 4],
      [0, -1, 5],
    ]);
    const wanted = [
      [-1.0690413714, -0.2672602832, 1.3363018036],
      [-0.508000493, -0.889000833, 1.3970012665],
    ];
    expectValues(new nn.InstanceNorm1d(2).forward(x), wanted);
    expectValues(new nn.InstanceNorm1d(2).forward(x.unsqueeze(0)), [wanted]);
    const image = randn([2, 3, 4]);
    const one = new nn.InstanceNorm2d(2).forward(image);
    expectValues(one, new nn.InstanceNorm2d(2).forward(image.unsqueeze(0)).squeeze(0).arraySync());
    expect(new nn.InstanceNorm3d(2).forward(randn([2, 2, 2, 2])).shape).toEqual([2, 2, 2, 2]);
  });
});
