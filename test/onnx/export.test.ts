/** What is in an exported file, read back here, and what is refused. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DynamicConv2d,
  exportOnnx,
  loadProgram,
  nn,
  noGrad,
  randn,
  ShapeError,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { readOnnx } from '../support/onnx.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FLOAT = 1;
const FLOAT16 = 10;
let files = 0;
const newFile = () => join(folder, `${files++}.onnx`);
const image = () => zeros([2, 3, 8, 8]);

class Net extends nn.Module {
  features = new nn.Sequential(
    new DynamicConv2d(3, 4, 3, { padding: 1, numExperts: 2 }),
    new nn.BatchNorm2d(4),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(1),
  );
  head = new nn.Linear(4, 5);

  forward(x: Tensor): Tensor {
    return this.head.forward(this.features.forward(x).flatten(1));
  }
}
const net = new Net().eval();

describe('an exported network', () => {
  it('has one convolution with the outputs of all kernels, and a free batch size', async () => {
    const file = newFile();
    const result = await exportOnnx(net, image(), file, { metadata: { classes: 'a,b' } });
    const model = readOnnx(file);
    expect(model.nodes.map(({ operator }) => operator)).toEqual([
      ...['GlobalAveragePool', 'Flatten', 'Gemm', 'Relu', 'Gemm', 'Div', 'Softmax'],
      ...['Conv', 'Reshape', 'Unsqueeze', 'MatMul', 'Reshape'],
      ...['BatchNormalization', 'Relu', 'GlobalAveragePool', 'Reshape', 'Gemm'],
    ]);
    expect(model).toMatchObject({
      irVersion: 8,
      opset: 17,
      producer: 'dyconv',
      metadata: { classes: 'a,b' },
    });
    expect(model.inputs).toEqual([{ name: 'input', dtype: FLOAT, shape: ['batch', 3, 8, 8] }]);
    expect(model.outputs).toEqual([{ name: 'output', dtype: FLOAT, shape: ['batch', 5] }]);
    const weight = model.initializers.find(({ name }) => name === 'features.0.weight')!;
    expect(weight.dims).toEqual([8, 3, 3, 3]);
    const stored = net.stateDict()['features.0.weight']!.dataSync() as Float32Array;
    expect([...weight.bytes!]).toEqual([
      ...new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength),
    ]);
    expect(model.nodes.find(({ operator }) => operator === 'Conv')!.name).toBe('features.0/Conv');
    expect(result).toEqual({
      files: [file],
      bytes: statSync(file).size,
      opset: 17,
      nodes: model.nodes.length,
      quantized: [],
      inputs: [{ name: 'input', dtype: 'float32', shape: ['batch', 3, 8, 8] }],
      outputs: [{ name: 'output', dtype: 'float32', shape: ['batch', 5] }],
    });
  });

  it('has the names that are given, and the batch size of the example without dynamicBatch', async () => {
    const file = newFile();
    await exportOnnx(net, image(), file, {
      dynamicBatch: false,
      inputNames: ['pixels'],
      outputNames: ['logits'],
      opset: 22,
    });
    const { inputs, outputs, opset, irVersion } = readOnnx(file);
    expect([inputs[0]!.name, inputs[0]!.shape]).toEqual(['pixels', [2, 3, 8, 8]]);
    expect([outputs[0]!.name, outputs[0]!.shape]).toEqual(['logits', [2, 5]]);
    expect([opset, irVersion]).toEqual([22, 10]);
  });

  it('of a program is the same as of its module, also when it comes from a file', async () => {
    const [ofModule, ofProgram, ofFile] = [newFile(), newFile(), newFile()];
    await exportOnnx(net, image(), ofModule);
    const program = nn.compile(net, image());
    await exportOnnx(program, image(), ofProgram);
    const stored = join(folder, 'net.dyc');
    await program.save(stored, { metadata: { classes: 'a,b' } });
    await exportOnnx(await loadProgram(stored), image(), ofFile);
    const [a, b, c] = [ofModule, ofProgram, ofFile].map(readOnnx);
    expect(b!.nodes).toEqual(a!.nodes);
    expect(c!.nodes.map(({ operator }) => operator)).toEqual(a!.nodes.map(({ operator }) => operator));
    expect(c!.metadata).toEqual({ classes: 'a,b' });
  });

  it('computes in float16 between inputs and outputs of float32', async () => {
    const file = newFile();
    await exportOnnx(net, image(), file, { precision: 'float16' });
    const { inputs, outputs, nodes, initializers } = readOnnx(file);
    expect([inputs[0]!.dtype, outputs[0]!.dtype]).toEqual([FLOAT, FLOAT]);
    expect([nodes[0]!.operator, nodes.at(-1)!.operator]).toEqual(['Cast', 'Cast']);
    const weights = initializers.filter(({ name }) => /weight|bias/.test(name));
    expect(new Set(weights.map(({ dtype }) => dtype))).toEqual(new Set([FLOAT16]));
  });

  it('has its weights in a second file with externalData', async () => {
    const file = newFile();
    const layer = new nn.Linear(16, 32).eval();
    const result = await exportOnnx(layer, zeros([1, 16]), file, { externalData: true });
    const [, data] = result.files;
    expect(result.files).toEqual([file, data]);
    expect(result.bytes).toBe(statSync(file).size + statSync(data!).size);
    const weight = readOnnx(file).initializers.find(({ name }) => name === 'weight')!;
    expect(weight.bytes).toBeUndefined();
    const { location, offset, length } = weight.external;
    expect(join(folder, location!)).toBe(data);
    expect(location!.startsWith(`${files - 1}.onnx.`)).toBe(true);
    const digest = createHash('sha256').update(readFileSync(data!)).digest('hex');
    expect(location!.slice(`${files - 1}.onnx`.length)).toBe(`.${digest.slice(0, 16)}.data`);
    const bytes = readFileSync(join(folder, location!)).subarray(
      Number(offset),
      Number(offset) + Number(length),
    );
    const stored = layer.weight.detach().dataSync() as Float32Array;
    expect([...bytes]).toEqual([...new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)]);
  });

  it('has no second file with externalData if no weight is large enough for it', async () => {
    const file = newFile();
    const layer = new nn.Linear(3, 2).eval();
    const result = await exportOnnx(layer, zeros([1, 3]), file, { externalData: true });
    expect([result.files, result.bytes]).toEqual([[file], statSync(file).size]);
    expect(readdirSync(folder).filter((name) => name.startsWith(`${files - 1}.onnx`))).toEqual([
      `${files - 1}.onnx`,
    ]);
  });

  it('has the attention of every dynamic convolution as an output, named by its layer', async () => {
    const routing = new nn.RoutingAttention(4, 3);
    class Shared extends nn.Module {
      stem = new DynamicConv2d(3, 4, 3, { padding: 1, numExperts: 2 });
      // The attention of these two is one tensor.
      a = new DynamicConv2d(4, 4, 3, { padding: 1, numExperts: 3, routing });
      b = new DynamicConv2d(4, 4, 1, { numExperts: 3, routing });
      c = new nn.ODConv2d(4, 4, 3);
      forward(x: Tensor): Tensor {
        const y = this.stem.forward(x);
        const attention = routing.forward(y);
        return this.c.forward(
          this.c.forward(this.b.forward(this.a.forward(y, { attention }), { attention })),
        );
      }
    }
    const shared = new Shared().eval();
    const result = await exportOnnx(shared, zeros([2, 3, 16, 16]), newFile(), {
      attention: true,
      outputNames: ['y'],
    });
    expect(result.outputs.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['y', 'batch', 4, 12, 12],
      ['stem.attention', 'batch', 2],
      ['a.attention', 'batch', 3],
      ['b.attention', 'batch', 3],
      ['c.attention', 'batch', 4],
      ['c.attention_1', 'batch', 4],
    ]);
    const { nodes, outputs } = readOnnx(result.files[0]!);
    expect(outputs.map(({ name }) => name)).toEqual(result.outputs.map(({ name }) => name));
    const makes = (name: string) => nodes.find((node) => node.outputs.includes(name))?.operator;
    expect(result.outputs.slice(1).map(({ name }) => makes(name))).toEqual([
      ...['Softmax', 'Softmax', 'Identity', 'Softmax', 'Softmax'],
    ]);
  });

  it('has the attentions also of a program, in float16 and at any size', async () => {
    const names = ['output', 'features.0.attention'];
    for (const [network, options] of [
      [nn.compile(net, image()), {}],
      [net, { precision: 'float16' }],
      [net, { dynamicSize: true }],
    ] as const) {
      const { outputs } = await exportOnnx(network, image(), newFile(), { ...options, attention: true });
      expect(outputs.map(({ name, dtype, shape }) => [name, dtype, shape[0]])).toEqual(
        names.map((name) => [name, 'float32', 'batch']),
      );
    }
  });

  it('has free heights and widths with dynamicSize', async () => {
    const file = newFile();
    await exportOnnx(net, image(), file, { dynamicSize: true });
    const { inputs, outputs } = readOnnx(file);
    expect(inputs[0]!.shape).toEqual(['batch', 3, 'height', 'width']);
    expect(outputs[0]!.shape).toEqual(['batch', 5]);
  });
});

/** The error of an export; no file may be left. */
async function refused(
  ...[network, example, options]: [
    Parameters<typeof exportOnnx>[0],
    Tensor,
    Parameters<typeof exportOnnx>[3]?,
  ]
) {
  const file = newFile();
  const error: unknown = await exportOnnx(network, example, file, options).catch((thrown: unknown) => thrown);
  expect(existsSync(file)).toBe(false);
  expect(error).toBeInstanceOf(ArgumentError);
  return (error as Error).message;
}

class Unsupported extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.cumprod({ dim: 1 });
  }
}

describe('what ONNX cannot express is refused', () => {
  const within = (layer: nn.Module) => new nn.Sequential(new nn.Identity(), new nn.Sequential(layer)).eval();

  it('an operation without a form, with the path of its layer', async () => {
    expect(await refused(within(new Unsupported()), zeros([2, 3]))).toBe(
      'Expected a network that ONNX can express but cumprod() of 1.0 (Unsupported) has no equivalent in ONNX',
    );
    const program = nn.compile(within(new Unsupported()), zeros([2, 3]));
    expect(await refused(program, zeros([2, 3]))).toContain('cumprod() of 1.0 (Unsupported)');
  });

  it('an operator that the opset lacks', async () => {
    expect(await refused(within(new nn.LayerNorm(3)), zeros([2, 3]), { opset: 16 })).toBe(
      'Expected a network that ONNX can express but layerNorm() of 1.0 (LayerNorm) needs the operator LayerNormalization, which opset 16 lacks: use opset 17 or later',
    );
  });

  it('a shape that depends on values', async () => {
    expect(await refused((x: Tensor) => x.nonzero(), randn([2, 3]), { dynamicBatch: false })).toContain(
      'has a result whose shape depends on the values of the input',
    );
  });

  it('a view of a tensor that is changed in place', async () => {
    const forward = (x: Tensor) => {
      const y = x.clone();
      y.narrow(1, 0, 2).mul_(2);
      return y;
    };
    expect(await refused(forward, zeros([2, 3]))).toMatch(/mul_\(\) at export\.test\.ts:\d+:\d+ changes/);
  });

  it('a network that depends on the size of images, with dynamicSize', async () => {
    const pooled = new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.AdaptiveAvgPool2d(2)).eval();
    expect(await refused(pooled, image(), { dynamicSize: true })).toContain(
      'the node 1/AveragePool differs between 8x8 and 40x72',
    );
    expect(await refused(nn.compile(net, image()), image(), { dynamicSize: true })).toContain(
      'Expected a module for dynamicSize',
    );
  });

  it('wrong options, by name', async () => {
    expect(await refused(net, image(), { opset: 12 })).toBe(
      'Expected an integer from 13 to 22 for opset but received 12 (number)',
    );
    expect(await refused(net, image(), { opset: '17' as never })).toBe(
      "Expected an integer from 13 to 22 for opset but received '17' (string)",
    );
    expect(await refused(net, image(), { inputNames: ['a', 'b'] })).toBe(
      'Expected 1 name for inputNames but received 2',
    );
    expect(await refused(net, image(), { outputNames: ['input'] })).toContain('received input twice');
    for (const options of [{ inputNames: ['head.weight'] }, { outputNames: ['head.weight'] }])
      expect(await refused(net, image(), options)).toBe(
        'Expected names that no weight has for inputs and outputs but received head.weight',
      );
    expect(await refused(net, image(), { inputNames: [''] })).toBe(
      'Expected names for inputNames but received an empty one',
    );
    expect(await refused(net, image(), { attention: 1 as never })).toContain('for attention');
    expect(await refused(new nn.Linear(3, 2).eval(), zeros([1, 3]), { attention: true })).toBe(
      'Expected a network with dynamic convolutions for attention but received one without',
    );
    expect(await refused(net, image(), { precision: 'int4' as never })).toContain('for precision');
    await expect(exportOnnx(nn.compile(net, image()), zeros([2, 3, 9, 9]), newFile())).rejects.toThrow(
      ShapeError,
    );
  });

  it('weights and numbers beyond float16, and precisions of networks in other dtypes', async () => {
    const half = { precision: 'float16' } as const;
    const large = new nn.Sequential(new nn.Linear(3, 4), new nn.Linear(4, 2)).eval();
    noGrad(() => (large.at(1) as nn.Linear).weight.narrow(0, 1, 1).fill_(-1e6));
    expect(await refused(large, zeros([2, 3]), half)).toBe(
      "Expected weights of at most 65504 in magnitude for precision 'float16' but 1.weight has 1000000",
    );
    // 65519 is rounded to the largest number of float16, and infinite weights stay.
    const file = newFile();
    noGrad(() => (large.at(1) as nn.Linear).weight.narrow(0, 1, 1).fill_(-65519));
    noGrad(() => (large.at(0) as nn.Linear).weight.narrow(0, 0, 1).fill_(Number.NEGATIVE_INFINITY));
    await exportOnnx(large, zeros([2, 3]), file, half);
    const { bytes } = readOnnx(file).initializers.find(({ name }) => name === '1.weight')!;
    expect([...new Uint16Array(Uint8Array.from(bytes!).buffer)].slice(4)).toEqual(new Array(4).fill(0xfbff));
    for (const [forward, number] of [
      [(x: Tensor) => x.mul(1e6), 1000000],
      [(x: Tensor) => x.add(x, { alpha: -1e5 }), -100000],
      [(x: Tensor) => x.div(70000), 70000],
      [(x: Tensor) => x.relu().sub(1e38), 1e38],
    ] as const)
      expect(await refused(forward, zeros([2, 3]), half)).toContain(
        `has the number ${number}, beyond the 65504 that float16 holds`,
      );
    // Limits and fills keep their meaning with the largest number.
    const kept = (x: Tensor) => x.clamp({ max: 1e6 }).maskedFill(x.gt(1e9), -1e9);
    await exportOnnx(kept, zeros([2, 3]), newFile(), half);
    const double = new nn.Linear(3, 2).eval().to({ dtype: 'float64' });
    const x = zeros([2, 3], { dtype: 'float64' });
    for (const options of [half, { precision: 'float32' }, { precision: 'int8', calibration: [x] }] as const)
      expect(await refused(double, x, options)).toBe(
        `Expected a network in float32 for precision '${options.precision}' but weight is float64: convert it by to({ dtype: 'float32' }), or leave precision out to keep its dtypes`,
      );
    expect(await refused((y: Tensor) => y.relu(), x, half)).toContain('but an input is float64');
    expect((await exportOnnx(double, x, newFile())).inputs[0]!.dtype).toBe('float64');
  });

  it('a call without an example, which says how it is called', async () => {
    const file = newFile();
    const call = exportOnnx as (...args: unknown[]) => Promise<unknown>;
    for (const args of [
      [nn.compile(net, image()), file],
      [net, file, { opset: 18 }],
      [net, file, image()],
    ])
      await expect(call(...args)).rejects.toThrow(
        `Expected a Tensor or an array of tensors for example but received '${file}' (string): call exportOnnx(network, example, file), also for a program`,
      );
    await expect(call(net)).rejects.toThrow(
      'Expected a Tensor or an array of tensors for example but received undefined',
    );
    expect(existsSync(file)).toBe(false);
  });

  it('a file that cannot be written, and the file before it stays', async () => {
    const missing = join(folder, 'missing', 'net.onnx');
    await expect(exportOnnx(net, image(), missing)).rejects.toThrow(CheckpointError);
    const file = newFile();
    writeFileSync(file, 'before');
    await expect(exportOnnx(within(new Unsupported()), zeros([2, 3]), file)).rejects.toThrow(ArgumentError);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
