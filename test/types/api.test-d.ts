// The documented public API. Nothing here runs: the compiler checks it (`npm run check:types`).
import {
  autograd,
  cat,
  type Device,
  type DType,
  DynamicConv,
  DynamicConv2d,
  data,
  dynamicConv2d,
  functional as F,
  loadSafetensors,
  type MemoryStats,
  memory,
  models,
  nn,
  noGrad,
  optim,
  report,
  saveSafetensors,
  slice,
  stack,
  Tensor,
  type TypedArray,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A>() {
  return <B>(_value: B, ..._same: Same<A, B> extends true ? [] : ['not the type that was promised']) => {};
}

export async function tensors(): Promise<void> {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    { dtype: 'float32', device: 'cpu', requiresGrad: true },
  );
  is<Tensor>()(x);
  is<Tensor>()(tensor(new Float32Array(12), { shape: [3, 4] }));
  tensor(1n);
  tensor([true, [false]]);
  is<number[]>()(x.shape);
  is<DType>()(x.dtype);
  is<Device>()(x.device);
  is<number>()(x.numel);
  is<boolean>()(x.isContiguous());
  is<Tensor | null>()(x.grad);
  is<TypedArray>()(await x.data());
  is<TypedArray>()(x.dataSync());
  // An int64 beyond 2^53 is a bigint.
  is<number | bigint>()(x.item());
  is<Float32Array>()(await x.data({ dtype: 'float32' }));
  is<BigInt64Array>()(x.dataSync({ dtype: 'int64', copy: false }));
  is<Uint16Array | Uint8Array>()(x.dataSync({ dtype: 'bfloat16' as 'bfloat16' | 'bool' }));
  is<TypedArray>()(x.dataSync({ copy: false, dtype: undefined as DType | undefined }));
  is<Tensor>()(x.to({ device: 'cuda:1', dtype: 'bfloat16' }));
  is<Tensor>()(x.index(0, slice(1, null, 2), '...', null, true, x));
  is<Tensor>()(
    x
      .sum({ dim: [0, 1], keepdim: true })
      .mean()
      .softmax({ dim: -1 })
      .argmax({ dim: 0 }),
  );
  is<{ values: Tensor; indices: Tensor }>()(x.topk(2));
  is<Tensor[]>()(x.chunk(2));
  is<boolean>()(x.equal(x));
  x.backward();
  x.backward(x, { retainGraph: true, createGraph: true });
  using y = x.add(1);
  is<Tensor>()(y);
  is<string>()(`${y}`);
  is<Tensor>()(cat([x, y], { dim: 1 }));
  is<MemoryStats>()(memory());

  is<Tensor>()(x.max());
  is<{ values: Tensor; indices: Tensor }>()(x.max({ dim: 0 }));
  const scaled = autograd.defineFunction({
    forward: (_, input: Tensor, factor: number) => input.mul(factor),
    backward: (_, gradient) => [gradient, null],
  });
  is<Tensor>()(scaled(x, 2));
  // @ts-expect-error an argument that the function does not take
  scaled(x, '2');
  x.registerHook((gradient) => gradient.mul(2)).remove();
  is<Promise<number>>()(autograd.detectAnomaly(async () => 1));

  // @ts-expect-error a dtype that does not exist
  zeros([1], { dtype: 'float' });
  // @ts-expect-error a device that does not exist
  zeros([1], { device: 'tpu' });
  // @ts-expect-error an option that does not exist
  zeros([1], { requires_grad: true });
  // @ts-expect-error a shape is an array
  zeros(3);
  // @ts-expect-error text is no number
  tensor(['a']);
  // @ts-expect-error options are an object
  x.sum(0);
  // @ts-expect-error options are an object
  x.to('cuda');
  // @ts-expect-error an operand is a Tensor or a number
  x.add('1');
  // @ts-expect-error tensors come from factories
  new Tensor();
  // @ts-expect-error properties cannot be assigned
  x.shape = [1];
  // @ts-expect-error one array, not several arguments
  stack(x, y);
  // @ts-expect-error an index is no text but '...'
  x.index('all');
  // @ts-expect-error a matrix product takes no number
  x.matmul(2);
}

export async function contexts(x: Tensor): Promise<void> {
  is<Tensor>()(tidy(() => x.add(1)));
  is<{ a: Tensor }>()(await tidy(async () => ({ a: x })));
  is<number>()(noGrad(() => 1));
  is<(Tensor | null)[]>()(
    autograd.grad(x, [x], { gradOutputs: [null], createGraph: true, allowUnused: true }),
  );
  is<true>()(autograd.gradcheck((a) => a.square(), [x]));
  // @ts-expect-error a function, not a value
  tidy(x);
  // @ts-expect-error gradcheck wants a function to a Tensor
  autograd.gradcheck((a) => a.item(), [x]);
}

export async function networks(x: Tensor): Promise<void> {
  class Net extends nn.Module {
    conv = new nn.Conv2d(3, 8, 3, { padding: 'same' });
    scale = new nn.Parameter(zeros([1]));
    forward(input: Tensor): Tensor {
      return this.conv.forward(input).relu().mul(this.scale);
    }
  }
  const net = new Net();
  is<Net>()(net.train().eval().to({ dtype: 'float64' }));
  is<Record<string, Tensor>>()(net.stateDict());
  is<string[]>()(net.loadStateDict(net.stateDict(), { strict: false }).missing);
  for (const [key, value] of net.namedParameters()) {
    is<string>()(key);
    is<Tensor>()(value);
  }
  const state = await loadSafetensors('file');
  net.loadStateDict(state);
  await saveSafetensors('file', state, { metadata: { format: 'pt' } });

  const layer = new DynamicConv2d(3, 8, [3, 3], {
    stride: 1,
    padding: [1, 1],
    dilation: 1,
    groups: 1,
    bias: true,
    numExperts: 4,
    reduction: 4,
    temperature: 30,
    routing: 'sigmoid',
    initGain: 1,
    device: 'cpu',
    dtype: 'float32',
  });
  is<Tensor>()(layer.forward(x));
  is<Tensor>()(layer.forward(x, { attention: layer.attention(x) }));
  is<number>()(layer.temperature);
  layer.temperature = 2;
  is<number[]>()(layer.expertUsage().mean);
  is<DynamicConv2d>()(new DynamicConv(1, 1, 1));
  is<Tensor>()(dynamicConv2d(x, x, x, null, { padding: 'same', algorithm: 'auto' }));
  is<Exclude<F.DynamicConv2dAlgorithm, 'auto'>[]>()(dynamicConv2d.algorithms());
  // @ts-expect-error algorithms are a closed set of names
  dynamicConv2d(x, x, x, null, { algorithm: 'winograd-9x9' });
  // @ts-expect-error as are those of the layer
  new DynamicConv2d(1, 1, 1, { algorithm: 'fastest' });
  // @ts-expect-error and those of the static convolution
  F.conv2d(x, x, null, { algorithm: 'fft' });

  const optimizer = new optim.SGD(net.parameters(), {
    lr: 0.1,
    momentum: 0.9,
    weightDecay: 1e-5,
    nesterov: true,
  });
  optimizer.step();
  new optim.lr.MultiStepLR(optimizer, { milestones: [30, 60], gamma: 0.1 });
  is<Tensor>()(F.crossEntropy(x, x, { labelSmoothing: 0.1, reduction: 'sum' }));
  models.alexnet({ numClasses: 10 });
  models.alexnetDy({ numClasses: 10, numExperts: 2 });
  models.create('alexnet-dy', {});
  report.summary(net, [1, 3, 32, 32]);
  data.transforms.train({ resize: 130, size: 128 });

  // A function of modules may declare its parameter as one class; the state of an LSTM is a plain tuple.
  net.apply((module: nn.Module) => void module.training);
  const lstm = new nn.LSTM(4, 8);
  const memory: [Tensor, Tensor] = lstm.forward(x)[1];
  is<[Tensor, Tensor]>()(lstm.forward(x, [memory[0], memory[1]])[1]);
  lstm.forward(x, memory as readonly [Tensor, Tensor]);
  is<Tensor>()(x.view(2, -1).permute([1, 0]).expand(2, 3));
  is<number>()(x.size(0));
  is<number[]>()(x.size());

  // @ts-expect-error an unknown routing
  new DynamicConv2d(3, 8, 3, { routing: 'hard' });
  // @ts-expect-error an option in snake_case
  new DynamicConv2d(3, 8, 3, { num_experts: 4 });
  // @ts-expect-error an option that a plain convolution does not have
  new nn.Conv2d(3, 8, 3, { numExperts: 4 });
  // @ts-expect-error a kernel of three sizes
  new nn.Conv2d(3, 8, [1, 2, 3]);
  // @ts-expect-error an unknown padding
  new nn.Conv2d(3, 8, 3, { padding: 'full' });
  // @ts-expect-error layers are modules
  new nn.Sequential(x);
  // @ts-expect-error forward is abstract
  new nn.Module();
  // @ts-expect-error an unknown reduction
  F.crossEntropy(x, x, { reduction: 'average' });
  // @ts-expect-error an option of another optimizer
  new optim.SGD(net.parameters(), { lr: 0.1, betas: [0.9, 0.99] });
}
