/** Networks exported in int8: what is in the file, what it computes, and what is refused. */
import { existsSync, statSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  type CalibrationSource,
  DTypeError,
  type DynamicConv2d,
  type ExportOnnxOptions,
  exportOnnx,
  full,
  loadOnnx,
  manualSeed,
  memory,
  models,
  nn,
  noGrad,
  randn,
  ShapeError,
  type Tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { Range } from '../../lib/program/range.js';
import { settleGarbage } from '../support/garbage.js';
import { limit } from '../support/limit.js';
import { readOnnx } from '../support/onnx.js';
import { withStatistics } from './cases.js';
import { images, makeNet, newFile, removeFolder, written } from './int8.js';

afterAll(removeFolder);

const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;

/** The mean difference as a part of the mean size. */
const relative = (actual: Tensor, expected: Tensor): number =>
  tidy(() => noGrad(() => Number(actual.sub(expected).abs().mean().div(expected.abs().mean()).item())));

/** The numbers of an initializer. */
function numbersOf(model: ReturnType<typeof readOnnx>, name: string): number[] {
  const { bytes, dtype } = model.initializers.find((one) => one.name === name)!;
  const { buffer } = Uint8Array.from(bytes!);
  const arrays = { 1: Float32Array, [UINT8]: Uint8Array, [INT8]: Int8Array, [INT32]: Int32Array };
  return [...new arrays[dtype as 1](buffer)];
}

describe('a network exported in int8', () => {
  it('has rounding around the layers between the first and the last one, and batch norm in the weights', async () => {
    const net = makeNet();
    const { file, quantized, nodes } = await written(net, images(), { calibration: [images()] });
    expect(quantized).toEqual(['features.2', 'features.6', 'classifier.0']);
    const model = readOnnx(file);
    expect(nodes).toBe(model.nodes.length);
    const [Q, DQ] = ['QuantizeLinear', 'DequantizeLinear'];
    expect(model.nodes.map(({ operator }) => operator)).toEqual([
      ...['Conv', 'Relu', Q, DQ],
      ...[DQ, DQ, 'Conv', Q, DQ], // without Relu: 0 is the smallest number
      ...['MaxPool', Q, DQ],
      ...['GlobalAveragePool', 'Flatten', 'Gemm', 'Relu', 'Gemm', 'Div', 'Softmax'],
      ...[DQ, DQ, 'Conv', Q, DQ, 'Reshape', 'Unsqueeze', 'MatMul', 'Reshape'],
      ...['BatchNormalization', 'Clip', 'Reshape', Q, DQ],
      ...[DQ, DQ, 'Gemm', Q, DQ, 'Gemm'],
    ]);
    const dtypes = Object.fromEntries(
      model.initializers.map(({ name, dtype, dims }) => [name, [dtype, dims]]),
    );
    expect(dtypes).toMatchObject({
      'features.0.weight': [1, [8, 3, 3, 3]],
      'features.2.weight_quantized': [INT8, [16, 8, 3, 3]],
      'features.2.weight_scale': [1, [16]],
      'features.2.weight_zero_point': [INT8, [16]],
      'features.6.weight_quantized': [INT8, [36, 16, 3, 3]],
      'features.6.bias_quantized': [INT32, [36]],
      'classifier.0.weight_quantized': [INT8, [32, 192]],
      'classifier.2.weight': [1, [5, 32]],
    });
    expect(Object.keys(dtypes)).not.toContain('features.2.weight');
    // The results of the pool have the range of its input.
    const scaleOf = (operator: string) => {
      const at = model.nodes.findIndex((node) => node.operator === operator);
      return model.nodes
        .slice(at)
        .find((node) => node.operator === Q)!
        .inputs.slice(1);
    };
    const pool = model.nodes.find((node) => node.operator === 'MaxPool')!;
    const before = model.nodes.find(({ outputs }) => outputs.includes(pool.inputs[0]!))!;
    expect(scaleOf('MaxPool')).toEqual(before.inputs.slice(1));
    expect(numbersOf(model, before.inputs[2]!)).toEqual([0]);
  });

  it('has the ranges of the values in the calibration', async () => {
    const net = makeNet();
    const parts = [images(5), images(7)];
    const { file } = await written(net, images(), { calibration: parts });
    const model = readOnnx(file);
    const largest = (layers: number) => {
      const part = new nn.Sequential(...[...net.features].slice(0, layers)).eval();
      return Math.max(...parts.map((x) => Number(part.forward(x).max().item())));
    };
    for (const [name, layers] of [
      ['features.1/Relu_output', 2],
      ['features.4/Relu_output', 5],
    ] as const) {
      expect(numbersOf(model, `${name}_scale`)[0]! * 255).toBeCloseTo(largest(layers), 4);
      expect(numbersOf(model, `${name}_zero_point`)).toEqual([0]);
    }
    // The result of the convolution with the outputs of all experts has both signs.
    const [zero] = numbersOf(model, 'features.6/Conv_output_zero_point');
    expect(zero).toBeGreaterThan(50);
    expect(zero).toBeLessThan(205);
  });

  it.each([true, false])('rounds weights by output channel, with reduceRange: %s', async (reduceRange) => {
    const net = makeNet();
    const { file } = await written(net, images(), { calibration: [images()], reduceRange });
    const model = readOnnx(file);
    const most = reduceRange ? 64 : 127;
    const [rounded, scales] = ['quantized', 'scale'].map((end) =>
      numbersOf(model, `classifier.0.weight_${end}`),
    );
    const weight = net.stateDict()['classifier.0.weight']!.arraySync() as number[][];
    for (const [row, values] of weight.entries()) {
      const scale = scales![row]!;
      expect(scale * most).toBeCloseTo(Math.max(...values.map(Math.abs)), 5);
      for (const [i, value] of values.entries())
        expect(Math.abs(rounded![row * values.length + i]! - value / scale)).toBeLessThan(0.5001);
    }
    expect(Math.max(...rounded!.map(Math.abs))).toBe(most);
  });

  it('computes what integers give', async () => {
    manualSeed(5);
    const layer = new nn.Linear(24, 7).eval();
    const x = randn([9, 24]);
    const { file } = await written(layer, x, { calibration: [x], floatLayers: [] });
    const model = readOnnx(file);
    const part = (name: string) => numbersOf(model, name);
    const [scale, zero] = [part('input_scale')[0]!, part('input_zero_point')[0]!];
    const [low, high] = [Number(x.min().item()), Number(x.max().item())];
    expect(scale).toBeCloseTo((high - low) / 255, 6);
    expect(zero).toBe(Math.round(-low / scale));
    const [weights, scales, biases] = [
      part('weight_quantized'),
      part('weight_scale'),
      part('bias_quantized'),
    ];
    const loaded = await loadOnnx(file);
    const actual = loaded.forward(x).arraySync() as number[][];
    const expected = layer.forward(x).arraySync() as number[][];
    const rows = x.arraySync() as number[][];
    for (const [b, row] of rows.entries())
      for (let o = 0; o < 7; o++) {
        let sum = biases[o]!;
        let bound = 1e-6;
        for (const [i, value] of row.entries()) {
          const step = Math.min(Math.max(Math.round(value / scale) + zero, 0), 255) - zero;
          const w = weights[o * 24 + i]!;
          sum += step * w;
          bound += (Math.abs(w) * scales[o]! * scale) / 2 + (Math.abs(value) * scales[o]!) / 2;
        }
        // Rounding half to even and half up differ in a step at most.
        expect(Math.abs(actual[b]![o]! - sum * scales[o]! * scale)).toBeLessThan(1e-4);
        expect(Math.abs(actual[b]![o]! - expected[b]![o]!)).toBeLessThan(bound + scales[o]! * scale);
      }
  });

  it('is about a quarter as large', { timeout: limit(60_000) }, async () => {
    const model = models.create('alexnet-dy', { numClasses: 10 }).eval();
    const x = randn([2, 3, 128, 128]);
    const { bytes, quantized } = await written(model, x, { calibration: [x] });
    const plain = newFile();
    await exportOnnx(model, x, plain);
    expect(quantized).toEqual([
      ...['features.4', 'features.8', 'features.11', 'features.14', 'classifier.0', 'classifier.3'],
    ]);
    expect(bytes / statSync(plain).size).toBeLessThan(0.26);
  });

  it('takes the layers that are named as float', async () => {
    const net = makeNet();
    const options = { calibration: [images()] };
    const all = await written(net, images(), { ...options, floatLayers: [] });
    expect(all.quantized).toEqual([
      ...['features.0', 'features.2', 'features.6', 'classifier.0', 'classifier.2'],
    ]);
    const some = await written(net, images(), { ...options, floatLayers: ['classifier', 'features.2'] });
    expect(some.quantized).toEqual(['features.0', 'features.6']);
  });

  it('comes also from a program, of any size, with attentions and with the weights in a second file', async () => {
    const net = makeNet();
    const calibration = [images()];
    const program = await written(nn.compile(net, images()), images(), { calibration });
    expect(program.quantized).toEqual(['features.2', 'features.6', 'classifier.0']);
    const attended = await written(net, images(), { calibration, attention: true, externalData: true });
    expect(attended.quantized).toEqual(program.quantized);
    expect(attended.outputs.map(({ name }) => name)).toEqual(['output', 'features.6.attention']);
    const head = new nn.Sequential(net.features, new nn.AdaptiveAvgPool2d(1)).eval();
    const free = await written(head, images(), { calibration: [randn([3, 3, 12, 20])], dynamicSize: true });
    expect(free.inputs[0]!.shape).toEqual(['batch', 3, 'height', 'width']);
    const [, attention] = (await loadOnnx<Tensor[]>(attended.file)).forward(images(5));
    expect(attention!.shape).toEqual([5, 3]);
    expect((await loadOnnx(free.file)).forward(randn([2, 3, 16, 8])).shape).toEqual([2, 12, 1, 1]);
  });

  it('keeps layers whose weights others read too', async () => {
    const shared = new nn.Conv2d(4, 4, 3, { padding: 1, bias: false });
    const [a, b] = [new nn.BatchNorm2d(4), new nn.BatchNorm2d(4)];
    const net = withStatistics(new nn.Sequential(shared, a, new nn.ReLU(), shared, b).eval());
    const x = randn([8, 4, 6, 6]);
    const { file } = await written(net, x, { calibration: [x], floatLayers: [] });
    const [actual, expected] = [(await loadOnnx(file)).forward(x), net.forward(x)];
    expect(relative(actual, expected)).toBeLessThan(0.05);
  });
});

describe('the calibration', () => {
  const net = makeNet();
  const x = images();

  it('takes iterables of tensors, of arrays and of batches, which are disposed', async () => {
    const parts = [x.narrow(0, 0, 10), zeros([0, 3, 8, 8]), x.narrow(0, 10, 6)];
    const loaded = () => parts.map((one) => ({ images: one.clone(), labels: zeros([one.shape[0]!]) }));
    const batches = loaded();
    async function* slow() {
      for (const one of batches) yield one;
    }
    const sources: CalibrationSource[] = [[x], parts, parts.map((one) => [one]), slow()];
    const found: [string, string][][] = [];
    for (const calibration of sources) {
      const { file } = await written(net, x, { calibration });
      found.push(readOnnx(file).initializers.map(({ name, bytes }) => [name, String(bytes)]));
    }
    // Batch sizes change sums in the last bit.
    const scales = (list: (typeof found)[number]) =>
      list.filter(([name]) => name.includes('weight_quantized'));
    for (const one of found.slice(1)) expect(scales(one)).toEqual(scales(found[0]!));
    expect(found[1]).toEqual(found[2]);
    expect(found[1]).toEqual(found[3]);
    expect(batches.flatMap((batch) => Object.values(batch)).every(({ isDisposed }) => isDisposed)).toBe(true);
    expect(x.isDisposed).toBe(false);
  });

  it('takes an array for networks with several inputs', async () => {
    class Two extends nn.Module<[Tensor, Tensor], Tensor> {
      a = new nn.Linear(4, 8);
      b = new nn.Linear(6, 8);
      c = new nn.Linear(8, 3);
      forward(x: Tensor, y: Tensor): Tensor {
        return this.c.forward(this.a.forward(x).add(this.b.forward(y)).relu());
      }
    }
    const two = new Two().eval();
    const inputs = [randn([5, 4]), randn([5, 6])];
    const file = newFile();
    const options: ExportOnnxOptions = { precision: 'int8', calibration: [inputs], floatLayers: [] };
    const { quantized } = await exportOnnx(two, inputs, file, options);
    expect(quantized).toEqual(['a', 'b', 'c']);
    const output = (await loadOnnx(file)).forward(...inputs);
    expect(relative(output, two.forward(inputs[0]!, inputs[1]!))).toBeLessThan(0.05);
  });

  it('leaves nothing behind', async () => {
    await settleGarbage();
    const before = memory().numTensors;
    await written(net, x, { calibration: [x], percentile: 99.9 });
    expect(memory().numTensors).toBe(before);
  });

  it('finds exact numbers for values that are constant or always 0', async () => {
    const layers = new nn.Sequential(new nn.Linear(4, 6), new nn.ReLU(), new nn.Linear(6, 5)).eval();
    for (const value of [0, -3, 2.5]) {
      const [first, second] = [layers.at(0) as nn.Linear, layers.at(2) as nn.Linear];
      noGrad(() => {
        first.weight.zero_();
        first.bias!.fill_(value);
        second.weight.narrow(0, 0, 2).zero_();
      });
      const input = full([3, 4], value);
      const { file } = await written(layers, input, { calibration: [input], floatLayers: [] });
      const [actual, expected] = [(await loadOnnx(file)).forward(input), layers.forward(input)];
      const error = Number(actual.sub(expected).abs().max().item());
      expect(error, `${value}`).toBeLessThan(value > 0 ? 0.05 : 1e-4);
      // A channel without weights is its bias.
      expect(Number(actual.sub(expected).narrow(1, 0, 2).abs().max().item())).toBeLessThan(1e-5);
    }
  });

  it('cuts off rare numbers with percentile, however they come', () => {
    manualSeed(1);
    const normal = randn([200_000]);
    const rare = normal.clone();
    rare.narrow(0, 0, 3).copy_(full([3], 1000));
    const scaleOf = (percentile: number, ...parts: Tensor[]) => {
      const range = new Range(percentile);
      for (const part of parts) {
        const { min, max } = part.aminmax();
        range.add(part, Number(min.item()), Number(max.item()));
      }
      return range.params();
    };
    const full_ = scaleOf(100, rare);
    expect(full_.scale).toBeCloseTo((1000 - Number(rare.min().item())) / 255, 3);
    // 0.05 % at each end of a normal distribution begin at 3.29; the bins are 0.5 wide.
    for (const parts of [[rare], rare.split(50_000), [...rare.split(50_000)].reverse()]) {
      const { scale, zeroPoint } = scaleOf(99.9, ...parts);
      expect(scale * 255).toBeGreaterThan(6);
      expect(scale * 255).toBeLessThan(8.5);
      expect(Math.abs(zeroPoint - 127)).toBeLessThan(25);
    }
    const { scale, zeroPoint } = scaleOf(99.9, normal.relu());
    expect(zeroPoint).toBe(0);
    expect(scale * 255).toBeCloseTo(3.29, 1);
  });

  it.each([
    [undefined, ArgumentError, 'Expected an iterable of batches for calibration but received undefined'],
    [x, ArgumentError, 'Expected an iterable of batches for calibration but received'],
    [[], ArgumentError, 'Expected at least one batch with elements for calibration but received none'],
    [[zeros([0, 3, 8, 8])], ArgumentError, 'for calibration but received 1 without any'],
    [
      [x, 5],
      ArgumentError,
      'Expected a Tensor, an array of tensors, or a batch of a loader for calibration[1]',
    ],
    [[[x, x]], ArgumentError, 'Expected 1 tensor for calibration[0] but received 2'],
    [
      [randn([2, 3, 9, 8])],
      ShapeError,
      'Expected shape [batch, 3, 8, 8] for input of calibration[0] but received [2, 3, 9, 8]',
    ],
    [
      [x.to({ dtype: 'float64' })],
      DTypeError,
      'Expected float32 for input of calibration[0] but received float64',
    ],
    [
      [x, full([1, 3, 8, 8], Number.NaN)],
      ArgumentError,
      'Expected finite values with calibration[1] but features.1/Relu_output has NaN',
    ],
    [[full([1, 3, 8, 8], 3e38)], ArgumentError, 'Expected finite values with calibration[0] but'],
  ] as const)('refuses what does not fit (%#)', async (calibration, type, message) => {
    const file = newFile();
    const options = { precision: 'int8', calibration: calibration as never } as const;
    const error: unknown = await exportOnnx(net, x, file, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(message);
    expect(existsSync(file)).toBe(false);
  });

  it('is refused where it has no use, and so are layers that do not exist', async () => {
    const refused = async (network: Parameters<typeof exportOnnx>[0], options: ExportOnnxOptions) => {
      const error: unknown = await exportOnnx(network, x, newFile(), options).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ArgumentError);
      return (error as Error).message;
    };
    const int8 = { precision: 'int8', calibration: [x] } as const;
    expect(await refused(net, { calibration: [x] })).toBe(
      "Expected 'int8' with calibration for precision but received 'float32' (string)",
    );
    expect(await refused(net, { precision: 'float16', reduceRange: false })).toContain(
      "'int8' with reduceRange",
    );
    expect(await refused(net, { ...int8, percentile: 101 })).toContain(
      'a number from 50 to 100 for percentile',
    );
    expect(await refused(net, { ...int8, floatLayers: ['features.1'] })).toContain(
      'for floatLayers but received features.1; the network has features.0, features.2, features.6,',
    );
    expect(await refused(net, { ...int8, opset: 12 })).toContain('an integer from 13 to 22 for opset');
    expect(await refused(new nn.Conv2d(3, 2, 3).eval(), int8)).toBe(
      "Expected a network with convolutions or linear layers in float32 besides the first and the last one for precision 'int8' but it has none: floatLayers: [] quantizes these too",
    );
    const two = new nn.Sequential(new nn.Linear(192, 4), new nn.ReLU(), new nn.Linear(4, 2)).eval();
    const flat = { ...int8, calibration: [x.flatten(1)] };
    const refusal = exportOnnx(two, x.flatten(1), newFile(), flat);
    await expect(refusal).rejects.toThrow('but it has none: floatLayers: [] quantizes these too');
    const { quantized } = await exportOnnx(two, x.flatten(1), newFile(), { ...flat, floatLayers: [] });
    expect(quantized).toEqual(['0', '2']);
    expect(await refused(new nn.ReLU().eval(), int8)).toBe(
      "Expected a network with convolutions or linear layers in float32 for precision 'int8' but it has none",
    );
    const broken = makeNet();
    noGrad(() => (broken.features.at(6) as DynamicConv2d).weight.narrow(0, 0, 1).fill_(Number.NaN));
    expect(await refused(broken, int8)).toMatch(/Expected finite values|Expected finite weights/);
  });
});
