/** Programs in int8, beside the same programs in float32 and beside integers. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  DynamicConv2d,
  exportOnnx,
  functional as F,
  full,
  loadOnnx,
  loadProgram,
  manualSeed,
  memory,
  nn,
  noGrad,
  type Program,
  rand,
  randn,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { makeNet } from '../onnx/int8.js';
import { both, images, relative, sequence, stepsOf } from './int8.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-quantize-'));
afterAll(() => rm(folder, { recursive: true }));

const arrayOf = (x: Tensor): number[] => [...(x.dataSync() as Float32Array)];

describe('a program in int8', () => {
  it('keeps uint8 between its layers, and the first and the last one in float32', async () => {
    const net = makeNet();
    const { plain, quantized } = await both(net, images());
    expect(stepsOf(quantized)).toEqual([
      ...['fusedConv2d', 'quantize', 'int8Conv2d', 'int8MaxPool2d', 'int8ChannelMeans', 'routing'],
      ...['int8DynamicConv2d', 'flatten', 'int8Linear', 'fusedLinear'],
    ]);
    expect(quantized.toString()).toContain('; int8');
    expect(quantized.toString()).toContain('independent rows');
    expect(quantized.settings).toEqual({ dtype: 'int8', optimize: true });
    expect(plain.settings.dtype).toBe('float32');
    const x = images(40);
    expect(relative(quantized.runSync(x), plain.runSync(x))).toBeLessThan(0.05);
    const flops = /([\d.]+ \w) FLOPs for one sample/;
    expect(flops.exec(quantized.toString())![1]).toBe(flops.exec(plain.toString())![1]);
  });

  it('computes what integers give', async () => {
    manualSeed(5);
    const [inputs, outputs] = [23, 7];
    const layer = new nn.Linear(inputs, outputs).eval();
    const x = randn([9, inputs]);
    const { quantized } = await both(layer, x, { floatLayers: [] });
    const [low, high] = [Number(x.min().item()), Number(x.max().item())];
    const scale = Math.fround((high - low) / 255);
    const zero = Math.round(-low / scale);
    const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);
    const round = (value: number) => {
      const down = Math.floor(value);
      const isTie = value - down === 0.5;
      return isTie ? down + (down % 2 === 0 ? 0 : 1) : Math.round(value);
    };
    const inverse = Math.fround(1 / scale);
    const bytes = arrayOf(x).map((value) => round(clamp(Math.fround(value * inverse), -zero, 255 - zero)));
    const weights = layer.weight.arraySync() as number[][];
    const biases = arrayOf(layer.bias!);
    const expected = Array.from({ length: 9 * outputs }, (_, i) => {
      const [row, o] = [Math.floor(i / outputs), i % outputs];
      const most = Math.max(...weights[o]!.map(Math.abs));
      const factor = Math.fround(127 / most);
      const sum = weights[o]!.reduce(
        (total, w, c) => total + round(clamp(Math.fround(w * factor), -127, 127)) * bytes[row * inputs + c]!,
        0,
      );
      const both = Math.fround(Math.fround(most / 127) * scale);
      return Math.fround(Math.fround(sum * both) + biases[o]!);
    });
    expect(arrayOf(quantized.runSync(x))).toEqual(expected);
  });

  it.each([
    ['a 1x1 kernel', 24, new nn.Conv2d(24, 40, 1)],
    ['channels that are no multiple of four', 7, new nn.Conv2d(7, 33, 3, { padding: 1 })],
    ['few channels', 3, new nn.Conv2d(3, 20, 5, { padding: 2, stride: 2 })],
    ['dilation', 16, new nn.Conv2d(16, 24, 3, { dilation: 2, padding: 2 })],
    ['an uneven kernel', 20, new nn.Conv2d(20, 70, [3, 1], { padding: [1, 0], stride: [1, 2] })],
    ['no bias', 12, new nn.Conv2d(12, 16, 3, { bias: false })],
    ['experts', 12, new DynamicConv2d(12, 40, 3, { numExperts: 3, padding: 1 })],
    ['experts and odd channels', 5, new DynamicConv2d(5, 18, 3, { numExperts: 2, stride: 2, dilation: 2 })],
  ])('is close to float32: %s', async (_, channels, layer) => {
    manualSeed(6);
    const x = randn([4, channels, 11, 10]);
    for (const activation of [new nn.ReLU6(), new nn.Hardswish()]) {
      const { plain, quantized } = await both(sequence(layer, activation), x, { floatLayers: [] });
      expect(stepsOf(quantized).join()).toMatch(/int8(Dynamic)?Conv2d/);
      expect(relative(quantized.runSync(x), plain.runSync(x))).toBeLessThan(0.03);
    }
  });

  it.each([1, 2, 3, 5])('mixes %i experts by any attention', async (numExperts) => {
    manualSeed(12);
    class Own extends nn.Module<[Tensor, Tensor]> {
      conv = new DynamicConv2d(12, 20, 3, { numExperts, padding: 1 });

      forward(x: Tensor, attention: Tensor): Tensor {
        return this.conv.forward(x, { attention });
      }
    }
    const net = new Own().eval();
    const inputs = [randn([5, 12, 7, 6]), randn([5, numExperts]).mul(10)];
    const plain = nn.compile(net, inputs);
    const quantized = await plain.quantize({ calibration: [inputs], floatLayers: [] });
    expect(stepsOf(quantized)).toContain('int8DynamicConv2d');
    expect(relative(quantized.runSync(inputs), plain.runSync(inputs))).toBeLessThan(0.02);
    const [x, attention] = inputs as [Tensor, Tensor];
    for (const number of [0, Number.NaN]) {
      const wanted = plain.runSync([x, attention.mul(0).add(number)]);
      const found = quantized.runSync([x, attention.mul(0).add(number)]);
      expect(found.isnan().arraySync()).toEqual(wanted.isnan().arraySync());
      if (number === 0) expect(Number(found.sub(wanted).abs().max().item())).toBeLessThan(1e-6);
    }
  });

  it('adds residuals, as uint8 where all that read them can', async () => {
    manualSeed(7);
    class Block extends nn.Module {
      first = new nn.Conv2d(8, 16, 3, { padding: 1 });
      second = new nn.Conv2d(16, 16, 3, { padding: 1 });
      third = new nn.Conv2d(16, 16, 3, { padding: 1 });
      head = new nn.Linear(16, 4);

      forward(x: Tensor): Tensor {
        const y = F.relu(this.first.forward(x));
        const z = F.relu(this.third.forward(F.relu(this.second.forward(y))).add(y));
        return this.head.forward(z.mean({ dim: [2, 3] }));
      }
    }
    const x = randn([6, 8, 9, 9]);
    const all = await both(new Block().eval(), x, { floatLayers: [] });
    expect(stepsOf(all.quantized).filter((name) => name === 'quantize')).toHaveLength(2);
    expect(relative(all.quantized.runSync(x), all.plain.runSync(x))).toBeLessThan(0.05);
    // The residual stays float32.
    const some = await both(new Block().eval(), x, { floatLayers: ['first', 'head'] });
    expect(stepsOf(some.quantized).filter((name) => name.startsWith('int8'))).toHaveLength(2);
    expect(relative(some.quantized.runSync(x), some.plain.runSync(x))).toBeLessThan(0.05);
  });

  it('leaves groups, and layers that only an attention depends on, in float32', async () => {
    manualSeed(8);
    const grouped = sequence(
      new nn.Conv2d(8, 16, 1),
      new nn.Conv2d(16, 16, 3, { groups: 4 }),
      new nn.Conv2d(16, 16, 3, { groups: 16 }),
      new nn.Conv2d(16, 8, 1),
    );
    const x = randn([3, 8, 9, 9]);
    const { plain, quantized } = await both(grouped, x, { floatLayers: [] });
    expect(stepsOf(quantized)).toEqual([
      ...['quantize', 'int8Conv2d', 'conv2d', 'fusedDepthwiseConv2d', 'quantize', 'int8Conv2d'],
    ]);
    expect(relative(quantized.runSync(x), plain.runSync(x))).toBeLessThan(0.03);

    class Own extends nn.Module {
      conv = new DynamicConv2d(8, 8, 3, { numExperts: 2 });
      squeeze = new nn.Linear(8, 2);

      forward(y: Tensor): Tensor {
        const attention = this.squeeze.forward(y.mean({ dim: [2, 3] })).softmax({ dim: 1 });
        return this.conv.forward(y, { attention });
      }
    }
    const own = await both(new Own().eval(), x, { floatLayers: [] });
    expect(stepsOf(own.quantized).filter((name) => /int8|fusedLinear/.test(name))).toEqual([
      'fusedLinear',
      'int8DynamicConv2d',
    ]);
  });

  it('takes changed weights of the module', async () => {
    const net = makeNet();
    const x = images();
    const { plain, quantized } = await both(net, x);
    const before = quantized.runSync(x);
    noGrad(() => {
      for (const [, parameter] of net.namedParameters()) parameter.mul_(1.1);
    });
    const after = quantized.runSync(x);
    expect(relative(after, before)).toBeGreaterThan(0.1);
    expect(relative(after, plain.runSync(x))).toBeLessThan(0.15); // values beyond the ranges are clamped
  });

  it('clamps what is beyond the range, to a percentile too', async () => {
    const layer = new nn.Linear(1, 1, { bias: false }).eval();
    noGrad(() => layer.weight.fill_(1));
    const x = rand([1000, 1]);
    const { quantized } = await both(layer, x, { floatLayers: [] });
    const of = (program: Program, value: number) => Number(program.runSync(full([1, 1], value)).item());
    expect(of(quantized, 5)).toBeCloseTo(Number(x.max().item()), 4);
    expect(of(quantized, -5)).toBe(0);
    expect(of(quantized, Number.NaN)).toBe(0);
    const narrow = await both(layer, x, { floatLayers: [], percentile: 80 });
    expect(of(narrow.quantized, 5)).toBeGreaterThan(0.85);
    expect(of(narrow.quantized, 5)).toBeLessThan(0.95);
  });

  it('runs on threads, in batches, in a pool of rows, and is measured', async () => {
    const { quantized } = await both(makeNet(), images());
    const x = images(6);
    const wanted = quantized.runSync(x).arraySync();
    expect((await quantized.run(x)).arraySync()).toEqual(wanted);
    const parts = await quantized.runBatch([x.narrow(0, 0, 2), x.narrow(0, 2, 4)]);
    expect(parts.flatMap((part) => part.arraySync())).toEqual(wanted);
    expect(quantized.replicate().runSync(x).arraySync()).toEqual(wanted);
    const profile = String(await quantized.profile(x, { runs: 1 }));
    expect(profile).toContain('int8Conv2d');
  });

  it('is kept in a file, bit by bit, and can be exported in float32', async () => {
    const { plain, quantized } = await both(makeNet(), images());
    const x = images(5);
    const file = join(folder, 'int8.dyc');
    await quantized.save(file, { metadata: { classes: '[]' } });
    const loaded = await loadProgram(file);
    expect(loaded.settings).toEqual(quantized.settings);
    expect(loaded.toString()).toBe(quantized.toString());
    expect(loaded.runSync(x).arraySync()).toEqual(quantized.runSync(x).arraySync());
    // One that was loaded can be quantized too.
    await plain.save(join(folder, 'float32.dyc'));
    const again = await (await loadProgram(join(folder, 'float32.dyc'))).quantize({ calibration: [x] });
    expect(again.toString()).toBe((await plain.quantize({ calibration: [x] })).toString());
    await exportOnnx(quantized, x, join(folder, 'net.onnx'));
    const exported = (await loadOnnx(join(folder, 'net.onnx'))).forward(x);
    expect(relative(exported, plain.runSync(x))).toBeLessThan(1e-5);
  });

  it('takes batches of any size, also an empty one', async () => {
    const { plain, quantized } = await both(makeNet(), images());
    for (const count of [0, 1, 2, 7]) {
      const x = images(count);
      expect(quantized.runSync(x).shape).toEqual([count, 5]);
      if (count > 0) expect(relative(quantized.runSync(x), plain.runSync(x))).toBeLessThan(0.05);
    }
  });

  it('disposes the batches of loaders, and leaves no tensors behind', async () => {
    const plain = nn.compile(makeNet(), images());
    const batches = [1, 2, 3].map((count) => ({ images: images(count), labels: zeros([count]) }));
    const before = memory().numTensors;
    const quantized = await plain.quantize({ calibration: batches });
    expect(memory().numTensors).toBeLessThanOrEqual(before - 6);
    quantized.dispose();
  });
});
