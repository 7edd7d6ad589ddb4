/** Exported networks, loaded again: outputs, gradients, training, and what is in the module. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DTypeError,
  DynamicConv2d,
  exportOnnx,
  loadOnnx,
  manualSeed,
  memory,
  nn,
  optim,
  randn,
  ShapeError,
  Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { BATCHES, CASES } from './cases.js';
import { node, write } from './write.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-load-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.onnx`);

type Network = { forward(...inputs: Tensor[]): unknown };
const forwardOf = (network: unknown) =>
  typeof network === 'function'
    ? (network as (...inputs: Tensor[]) => unknown)
    : (...inputs: Tensor[]) => (network as Network).forward(...inputs);

function tensorsIn(output: unknown): Tensor[] {
  if (output instanceof Tensor) return [output];
  return Object.values(output as Record<string, unknown>).flatMap(tensorsIn);
}

/** The largest difference as a multiple of the largest element. */
function difference(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.dtype).toBe(expected.dtype);
  return tidy(() => {
    const [a, b] = [actual, expected].map((one) => one.detach().to({ dtype: 'float64' }));
    const scale = Math.max(1, Number(b!.abs().max().item()));
    return Number(a!.sub(b!).abs().max().item()) / scale;
  });
}

/** The gradients of the sum of the squares of all outputs of a float type. */
function gradients(outputs: readonly Tensor[], inputs: readonly Tensor[]): (Tensor | null)[] {
  const smooth = outputs.filter(({ requiresGrad }) => requiresGrad);
  if (smooth.length === 0) return inputs.map(() => null);
  let sum: Tensor | undefined;
  for (const output of smooth) {
    const own = output.square().sum();
    sum = sum === undefined ? own : sum.add(own);
  }
  sum!.backward();
  return inputs.map(({ grad }) => grad);
}

describe('an exported network that is loaded', () => {
  it.each(Object.keys(CASES))('computes the same: %s', async (name) => {
    const { make, inputs, options } = CASES[name]!;
    manualSeed(7);
    const network = make();
    const file = newFile();
    await exportOnnx(network, inputs(2), file, options);
    const loaded = await loadOnnx<Tensor | Tensor[]>(file);
    for (const batch of BATCHES) {
      const x = inputs(batch);
      const [first, second] = [0, 1].map(() =>
        x.map((one) => (one.isFloatingPoint() ? one.clone().requiresGrad_() : one)),
      ) as [Tensor[], Tensor[]];
      const expected = tensorsIn(forwardOf(network)(...first));
      const actual = tensorsIn(loaded.forward(...second));
      expect(actual.length).toBe(expected.length);
      for (const [i, one] of actual.entries())
        expect(difference(one, expected[i]!), `output ${i}`).toBeLessThan(1e-6);
      const wanted = gradients(expected, first);
      for (const [i, gradient] of gradients(actual, second).entries())
        if (wanted[i]) expect(difference(gradient!, wanted[i]), `gradient ${i}`).toBeLessThan(1e-5);
    }
  });

  it.each([13, 16, 18, 20, 21])('of opset %i computes the same', async (opset) => {
    for (const name of ['residual block', 'reduce', 'shape', 'resize', 'recurrent']) {
      const { make, inputs } = CASES[name]!;
      const network = make();
      const file = newFile();
      await exportOnnx(network, inputs(2), file, { opset });
      const x = inputs(3);
      const expected = tensorsIn(forwardOf(network)(...x));
      const actual = tensorsIn((await loadOnnx<Tensor | Tensor[]>(file)).forward(...x));
      for (const [i, one] of actual.entries()) expect(difference(one, expected[i]!), name).toBeLessThan(1e-6);
    }
  });
});

class Net extends nn.Module {
  conv = new nn.Conv2d(3, 8, 3, { padding: 1, bias: false });
  bn = new nn.BatchNorm2d(8);
  dynamic = new DynamicConv2d(8, 6, 3, { padding: 1, numExperts: 3 });
  norm = new nn.GroupNorm(2, 6);
  head = new nn.Linear(6, 4);

  forward(x: Tensor): Tensor {
    const y = this.bn.forward(this.conv.forward(x)).relu();
    return this.head.forward(
      this.norm
        .forward(this.dynamic.forward(y))
        .relu()
        .mean({ dim: [2, 3] }),
    );
  }
}

async function exported(options: Parameters<typeof exportOnnx>[3] = {}) {
  manualSeed(3);
  const network = new Net().eval();
  const file = newFile();
  await exportOnnx(network, zeros([2, 3, 8, 8]), file, options);
  return { network, file };
}

describe('a loaded module', () => {
  it('has the weights as parameters under their names, and running statistics as buffers', async () => {
    const { network, file } = await exported();
    const loaded = await loadOnnx(file);
    const own = network.stateDict();
    expect([...loaded.namedParameters()].map(([name]) => name).sort()).toEqual(
      [...network.namedParameters()].map(([name]) => name).sort(),
    );
    for (const [name, value] of Object.entries(loaded.stateDict())) {
      if (/num_batches|temperature/.test(name)) continue;
      expect(value.numel, name).toBe(own[name]!.numel);
      expect([...value.dataSync()]).toEqual([...own[name]!.dataSync()]);
    }
    expect([...loaded.namedBuffers()].map(([name]) => name)).toEqual(
      expect.arrayContaining(['bn.running_mean', 'bn.running_var']),
    );
    expect(loaded.training).toBe(false);
    expect(String(loaded)).toContain('input [batch, 3, 8, 8] -> output [batch, 4]');
  });

  it('trains as the network that was exported', async () => {
    const { network, file } = await exported();
    const loaded = await loadOnnx(file);
    const optimizers = [network, loaded].map((module) => {
      module.train();
      return new optim.SGD(module.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-4 });
    });
    for (let step = 0; step < 3; step++) {
      const x = randn([4, 3, 8, 8]);
      for (const [i, module] of [network, loaded].entries()) {
        optimizers[i]!.zeroGrad();
        module.forward(x).square().sum().backward();
        optimizers[i]!.step();
      }
    }
    const states = [network.stateDict(), loaded.stateDict()] as const;
    for (const name of [
      'conv.weight',
      'bn.weight',
      'bn.running_mean',
      'bn.running_var',
      'norm.bias',
      'head.weight',
    ])
      expect(difference(states[1][name]!.reshape([-1]), states[0][name]!.reshape([-1])), name).toBeLessThan(
        1e-5,
      );
    const x = randn([3, 3, 8, 8]);
    expect(difference(loaded.eval().forward(x), network.eval().forward(x))).toBeLessThan(1e-5);
    expect(difference(network.forward(x), (await loadOnnx(file)).forward(x))).toBeGreaterThan(1e-3);
  });

  it('can be compiled, exported again, and loaded from its own state', async () => {
    const { network, file } = await exported();
    const loaded = await loadOnnx(file);
    const x = randn([5, 3, 8, 8]);
    const expected = network.forward(x);
    expect(difference(nn.compile(loaded, zeros([1, 3, 8, 8])).runSync(x), expected)).toBeLessThan(1e-6);
    const again = newFile();
    await exportOnnx(loaded, zeros([2, 3, 8, 8]), again);
    expect(difference((await loadOnnx(again)).forward(x), expected)).toBeLessThan(1e-6);
    const other = await loadOnnx(file);
    for (const parameter of other.parameters()) parameter.detach().zero_();
    other.loadStateDict(loaded.stateDict());
    expect(difference(other.forward(x), expected)).toBeLessThan(1e-6);
  });

  it('moves to another dtype, and computes in half precision as its file says', async () => {
    const { network, file } = await exported();
    const loaded = (await loadOnnx(file)).to({ dtype: 'float64' });
    const x = randn([2, 3, 8, 8]);
    expect(
      difference(loaded.forward(x.to({ dtype: 'float64' })).to({ dtype: 'float32' }), network.forward(x)),
    ).toBeLessThan(1e-6);
    const half = await loadOnnx((await exported({ precision: 'float16' })).file);
    expect(half.stateDict()['head.weight']!.dtype).toBe('float16');
    expect(difference(half.forward(x), network.forward(x))).toBeLessThan(1e-2);
  });

  it('of a file in float16 computes and trains in float32 after to(), whatever its nodes convert to', async () => {
    const { network, file } = await exported({ precision: 'float16' });
    const loaded = (await loadOnnx(file)).to({ dtype: 'float32' });
    network.to({ dtype: 'float16' }).to({ dtype: 'float32' });
    const x = randn([4, 3, 8, 8]);
    expect(difference(loaded.forward(x), network.forward(x))).toBeLessThan(1e-6);
    const double = loaded.to({ dtype: 'float64' });
    expect(double.forward(x.to({ dtype: 'float64' })).dtype).toBe('float64');
    expect(() => double.forward(x)).toThrow(
      new DTypeError('Expected float64 for input but received float32'),
    );
    loaded.to({ dtype: 'float32' }).train();
    const optimizer = new optim.Adam(loaded.parameters(), { lr: 0.01 });
    const losses = Array.from({ length: 5 }, () => {
      optimizer.zeroGrad();
      const loss = loaded.forward(x).square().mean();
      loss.backward();
      optimizer.step();
      return Number(loss.item());
    });
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    for (const [name, value] of Object.entries(loaded.stateDict()))
      expect([name, value.isFloatingPoint() && value.dtype !== 'float32']).toEqual([name, false]);
    const again = newFile();
    await exportOnnx(loaded.eval(), zeros([2, 3, 8, 8]), again);
    expect(difference((await loadOnnx(again)).forward(x), loaded.forward(x))).toBeLessThan(1e-6);
  });

  it('has values of the new dtype after to() also where nodes make or convert them', async () => {
    const half = (value: number) => tensor(value, { dtype: 'float16' });
    const file = await write(newFile(), {
      dtype: 'float16',
      inputs: { x: ['batch', 4] },
      initializers: {
        weight: randn([4, 4]).to({ dtype: 'float16' }),
        ...{ start: half(0), limit: half(4), step: half(1), count: tensor([4n]) },
      },
      nodes: [
        node('MatMul', ['x', 'weight'], ['product']),
        node('ConstantOfShape', ['count'], ['zeros']),
        node('Range', ['start', 'limit', 'step'], ['range']),
        // A number of a shape, which is computed without tensors.
        node('Cast', ['count'], ['four'], { to: 10 }),
        node('Sqrt', ['four'], ['two']),
        node('Equal', ['product', 'product'], ['same']),
        node('Cast', ['same'], ['ones'], { to: 10 }),
        node('Cast', ['range'], ['single'], { to: 1 }),
        node('Cast', ['single'], ['back'], { to: 10 }),
        node('Cast', ['range'], ['whole'], { to: 7 }),
        node('Concat', ['zeros', 'back', 'two'], ['settings'], { axis: 0 }),
        node('MatMul', ['ones', 'weight'], ['y']),
      ],
      outputs: ['y', 'settings', 'two', 'ones', 'single', 'whole', 'product'],
    });
    const loaded = await loadOnnx<Tensor[]>(file);
    const x = randn([2, 4]).to({ dtype: 'float16' });
    const dtypes = (values: Tensor[]) => values.map(({ dtype }) => dtype);
    const stored = ['float16', 'float32', 'float16', 'float16', 'float32', 'int64', 'float16'];
    expect(dtypes(loaded.forward(x))).toEqual(stored);
    for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
      const found = loaded.to({ dtype }).forward(x.to({ dtype }));
      expect(dtypes(found)).toEqual([dtype, dtype, dtype, dtype, dtype, 'int64', dtype]);
      expect([...found[1]!.to({ dtype: 'float32' }).dataSync()]).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 2]);
    }
    expect(dtypes(loaded.to({ dtype: 'float16' }).forward(x))).toEqual(stored);
  });

  it('reads weights from a second file', async () => {
    const { network, file } = await exported({ externalData: true });
    const x = randn([2, 3, 8, 8]);
    expect(difference((await loadOnnx(file)).forward(x), network.forward(x))).toBeLessThan(1e-6);
  });

  it('frees the memory of intermediate values', async () => {
    const loaded = await loadOnnx((await exported()).file);
    const x = randn([2, 3, 8, 8]);
    const before = memory().numTensors;
    const y = loaded.forward(x);
    expect(memory().numTensors).toBe(before + 1);
    y.dispose();
  });

  it('gives other values of the graph with outputs, for layers behind them', async () => {
    const { network, file } = await exported({ outputNames: ['logits'] });
    const whole = await loadOnnx(file);
    expect(whole.outputs).toEqual([{ name: 'logits', dtype: 'float32', shape: ['batch', 4] }]);
    const start = `Expected names of values in ${file} for outputs but received`;
    const end = `valueNames of the loaded file has all ${whole.valueNames.length}`;
    for (const [name, hint] of [
      ['conv/Conv_outptu', `. Did you mean conv/Conv_output? ${end}`],
      ['CONV', `. Did you mean conv/Conv_output? ${end}`],
      ['dynamic/', '. Did you mean dynamic/'],
      ['', `; the last ones are ${whole.valueNames.slice(-6).join(', ')}; ${end}`],
      ['features', `; the last ones are ${whole.valueNames.slice(-6).join(', ')}; ${end}`],
      // A weight is no value that a node computes.
      ['conv.weight', '; the last ones are '],
    ] as const)
      await expect(loadOnnx(file, { outputs: [name] }), name).rejects.toThrow(`${start} ${name}${hint}`);
    expect(whole.valueNames).toContain('conv/Conv_output');
    expect(whole.valueNames.at(-1)).toBe('logits');
    for (const name of whole.valueNames) {
      const one = await loadOnnx(file, { outputs: [name] });
      expect([one.outputs[0]!.name, one.valueNames]).toEqual([name, whole.valueNames]);
    }
    const cut = await loadOnnx(file, { outputs: ['conv/Conv_output'] });
    expect([...cut.namedParameters()].map(([name]) => name)).toEqual(['conv.weight']);
    const x = randn([2, 3, 8, 8]);
    expect(difference(cut.forward(x), network.conv.forward(x))).toBeLessThan(1e-6);
  });

  it('has the parameters that are asked for', async () => {
    const { file } = await exported();
    const asked: string[] = [];
    const loaded = await loadOnnx(file, {
      parameters: (name) => {
        asked.push(name);
        return name.startsWith('head.');
      },
    });
    expect([...loaded.namedParameters()].map(([name]) => name).sort()).toEqual(['head.bias', 'head.weight']);
    expect(asked).toContain('conv.weight');
    expect(asked).not.toContain('bn.running_mean');
    expect(Object.keys(loaded.stateDict())).toContain('conv.weight');
  });

  it('refuses inputs that do not fit, by name', async () => {
    const loaded = await loadOnnx((await exported({ inputNames: ['image'] })).file);
    const refused = (call: () => unknown, type: new (message: string) => Error, message: string) => {
      expect(call).toThrow(type);
      expect(call).toThrow(message);
    };
    refused(() => loaded.forward(), ArgumentError, 'Expected 1 input for');
    refused(() => loaded.forward(3 as never), ArgumentError, 'Expected a Tensor for image');
    refused(
      () => loaded.forward(zeros([2, 3, 9, 8])),
      ShapeError,
      'Expected shape [batch, 3, 8, 8] for image but received [2, 3, 9, 8]',
    );
    refused(() => loaded.forward(zeros([3, 8, 8])), ShapeError, 'for image but received [3, 8, 8]');
    refused(
      () => loaded.forward(tensor([1n]).reshape([1, 1, 1, 1]).expand([1, 3, 8, 8])),
      DTypeError,
      'Expected float32 for image but received int64',
    );
  });
});
