/** Graphs that are not from an exporter here: what becomes a parameter, training, and what is refused. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  functional as F,
  full,
  loadOnnx,
  ones,
  randn,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { node, type Parts, write } from './write.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-graphs-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.onnx`);
const load = async (parts: Parts) => loadOnnx(await write(newFile(), parts));
/** The file of a model's weights. */
const dataOf = (file: string) =>
  join(
    dirname(file),
    readdirSync(dirname(file)).find((one) => one.startsWith(`${basename(file)}.`) && one.endsWith('.data'))!,
  );
const names = (values: Iterable<[string, unknown]>) => [...values].map(([name]) => name).sort();

describe('tensors of a file', () => {
  it('are parameters where layers read them, and constants where they are settings', async () => {
    const module = await load({
      nodes: [
        node('Conv', ['x', 'w'], ['a']),
        node('PRelu', ['a', 'slope'], ['b']),
        node('Mul', ['b', 'scale'], ['c']),
        node('Mul', ['c', 'gamma'], ['d']),
        node('Clip', ['d', 'low', 'high'], ['e']),
        node('Add', ['e', 'mask'], ['y']),
      ],
      initializers: {
        w: randn([2, 2, 1, 1]),
        slope: full([1], 0.1),
        scale: full([], 0.5),
        gamma: full([2, 1, 1], 0.5),
        low: full([], -1),
        high: full([], 1),
        mask: tensor([0, Number.NEGATIVE_INFINITY, 0, 0, 0, 0]),
      },
    });
    expect(names(module.namedParameters())).toEqual(['gamma', 'slope', 'w']);
    expect(Object.keys(module.stateDict()).sort()).toEqual([
      'gamma',
      'high',
      'low',
      'mask',
      'scale',
      'slope',
      'w',
    ]);
  });

  it('that an exporter wrote once because they were equal are separate again; tied weights stay tied', async () => {
    const module = await load({
      nodes: [
        node('BatchNormalization', ['x', 'one', 'zero', 'zero', 'one'], ['a']),
        node('Identity', ['one'], ['bn2.weight']),
        node('BatchNormalization', ['a', 'bn2.weight', 'zero', 'zero', 'one'], ['b']),
        node('Identity', ['w'], ['tied.weight']),
        node('Conv', ['b', 'w'], ['c']),
        node('Conv', ['c', 'tied.weight'], ['y']),
      ],
      initializers: { one: ones([2]), zero: zeros([2]), w: randn([2, 2, 1, 1]) },
    });
    const parameters = names(module.namedParameters());
    expect(parameters.length).toBe(5);
    expect(parameters).toEqual(expect.arrayContaining(['bn2.weight', 'one', 'w', 'zero']));
    expect(names(module.namedBuffers()).length).toBe(4);
    const x = randn([4, 2, 6, 6]);
    const w = module.stateDict().w!;
    const bn = { weight: ones([2]), bias: zeros([2]), runningMean: zeros([2]), runningVar: ones([2]) };
    const expected = F.conv2d(F.conv2d(F.batchNorm(F.batchNorm(x, bn), bn), w), w);
    expect(module.forward(x).allclose(expected, { atol: 1e-5 })).toBe(true);
    module.train().forward(x).sum().backward();
    const state = module.stateDict();
    expect(
      Object.values(state).filter(
        (one) => one.ndim === 1 && !one.eq(1).all().item() && !one.eq(0).all().item(),
      ).length,
    ).toBe(4);
  });

  it('of functions with random numbers follow the mode of the module', async () => {
    const module = await load({
      nodes: [node('Dropout', ['x', 'ratio', 'training'], ['y'])],
      initializers: { ratio: full([], 0.25), training: tensor([true]).reshape([]) },
      inputs: { x: ['batch', 1000] },
    });
    const x = ones([10, 1000]);
    expect(module.forward(x).equal(x)).toBe(true);
    const y = module.train().forward(x);
    const dropped = y.eq(0).sum().item() as number;
    expect(Number(dropped)).toBeGreaterThan(2000);
    expect(Number(dropped)).toBeLessThan(3000);
    expect(Number(y.max().item())).toBeCloseTo(4 / 3, 5);
  });

  it('may be stored as numbers, in small types, and as inputs of old files', async () => {
    const module = await load({
      nodes: [
        node('Constant', [], ['axes'], { value_ints: [2, 3] }),
        node('Constant', [], ['two'], { value_float: { float: 2 } }),
        node('ReduceSum', ['x', 'axes'], ['a'], { keepdims: 0 }),
        node('Mul', ['a', 'two'], ['b']),
        node('Add', ['b', 'w'], ['y']),
      ],
      initializers: { w: tensor([1, 2]) },
      inputs: { x: ['batch', 2, 6, 6], w: [2] },
    });
    expect(module.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(module.forward(ones([1, 2, 6, 6])).arraySync()).toEqual([[73, 74]]);
  });
});

describe('windows', () => {
  const x = randn([2, 2, 6, 6]);
  const w = randn([3, 2, 3, 3]);
  const run = async (operator: string, attributes: Parts['nodes'][number]['attributes'], weight = w) =>
    (
      await load({ nodes: [node(operator, ['x', 'w'], ['y'], attributes)], initializers: { w: weight } })
    ).forward(x);

  it('of SAME are padded at the end, or at the beginning', async () => {
    const upper = F.conv2d(F.pad(x, [0, 1, 0, 1]), w, null, { stride: 2 });
    expect(
      (await run('Conv', { auto_pad: 'SAME_UPPER', strides: [2, 2] })).allclose(upper, { atol: 1e-5 }),
    ).toBe(true);
    const lower = F.conv2d(F.pad(x, [1, 0, 1, 0]), w, null, { stride: 2 });
    expect(
      (await run('Conv', { auto_pad: 'SAME_LOWER', strides: [2, 2] })).allclose(lower, { atol: 1e-5 }),
    ).toBe(true);
    const valid = F.conv2d(x, w);
    expect((await run('Conv', { auto_pad: 'VALID' })).allclose(valid, { atol: 1e-5 })).toBe(true);
  });

  it('may be padded in another way at each end', async () => {
    const expected = F.conv2d(F.pad(x, [2, 1, 0, 3]), w);
    expect((await run('Conv', { pads: [0, 2, 3, 1] })).allclose(expected, { atol: 1e-5 })).toBe(true);
  });
});

it('the smallest integer divided by -1 does not end the process, and a size of -1 is free', async () => {
  const least = -(2n ** 63n);
  const quotients = async (operator: string) => {
    const module = await load({
      nodes: [node(operator, ['x', 'd'], ['y'])],
      initializers: { d: tensor([-1n, -1n, 2n]) },
      inputs: { x: [-1] },
      dtype: 'int64',
    });
    return module.forward(tensor([least, 7n, -7n])).arraySync();
  };
  expect(await quotients('Div')).toEqual([least, -7, -3]);
  expect(await quotients('Mod')).toEqual([0, 0, 1]);
});

describe('what cannot be loaded', () => {
  const refused = async (parts: Parts, file = newFile()): Promise<string> => {
    await write(file, parts);
    const error = await loadOnnx(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as Error).message.replaceAll(file, 'FILE');
  };
  const relu = node('Relu', ['x'], ['y']);

  it('lists all nodes without a form here, by operator and name', async () => {
    expect(
      await refused({
        nodes: [
          node('Relu', ['x'], ['a']),
          node('NonMaxSuppression', ['a'], ['b'], {}, 'head/nms'),
          node('Resize', ['b', '', 's'], ['c'], { antialias: 1 }),
          node('Conv', ['c', 'w'], ['y'], { auto_pad: 'OTHER' }, 'last'),
        ],
        initializers: { s: ones([4]), w: ones([2, 2, 1, 1]) },
      }),
    ).toBe(
      "Cannot load FILE: NonMaxSuppression (node 'head/nms') is not supported; " +
        'Resize (node 2) has antialiasing, whose filter differs between libtorch and ONNX; ' +
        "Conv (node 'last') has the auto_pad OTHER, which is not supported",
    );
  });

  it('other versions of the operators', async () => {
    expect(await refused({ nodes: [relu], opset: 12 })).toContain(
      'Expected operators of opset 13 to 22 in FILE but received opset 12',
    );
    expect(await refused({ nodes: [relu], opset: 23 })).toContain('but received opset 23');
  });

  it('graphs whose values nothing gives, or twice', async () => {
    expect(await refused({ nodes: [node('Relu', ['z'], ['y'])] })).toBe(
      'FILE is damaged: Relu (node 0) reads z, which nothing before it gives',
    );
    expect(await refused({ nodes: [relu], outputs: ['z'] })).toBe(
      'FILE is damaged: no node computes its output z',
    );
    expect(await refused({ nodes: [relu], outputs: [] })).toBe('FILE is damaged: its graph has no outputs');
    expect(
      await refused({
        nodes: [node('Relu', ['x'], ['a']), node('Abs', ['a'], ['a']), node('Neg', ['a'], ['y'])],
      }),
    ).toBe('FILE is damaged: Abs (node 1) gives a a second time');
  });

  it('tensors of impossible shapes, and too few elements', async () => {
    const sum = { nodes: [node('Add', ['x', 'w'], ['y'])], initializers: { w: ones([4]) } };
    const dims = (...sizes: number[]) => refused({ ...sum, changed: (one) => ({ ...one, dims: sizes }) });
    expect(await dims(5)).toBe(
      'FILE is damaged: the initializer w has 16 bytes of elements instead of 20, those of shape [5]',
    );
    expect(await dims(2 ** 40, 2 ** 40)).toContain(
      'the initializer w has the shape [1099511627776, 1099511627776]',
    );
    expect(await dims(-1, 4)).toContain('the initializer w has the shape [-1, 4]');
    expect(await dims(2 ** 31, 2 ** 9)).toContain('instead of 4398046511104');
    expect(await dims(2 ** 50, 0)).toContain('the initializer w has the shape [1125899906842624, 0]');
    expect(await dims(...new Array<number>(65).fill(1))).toContain('the initializer w has 65 dimensions');
  });

  it('weights in a second file that is missing, cut, or elsewhere', async () => {
    const parts: Parts = {
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      initializers: { w: ones([32, 32]) },
      externalData: true,
    };
    const file = newFile();
    await write(file, parts);
    const data = dataOf(file);
    truncateSync(data, 4000);
    await expect(loadOnnx(file)).rejects.toThrow(
      `${data} is truncated, or belongs to another model: the initializer w should take 4096 bytes from 0 but the file has 4000`,
    );
    rmSync(data);
    await expect(loadOnnx(file)).rejects.toThrow(
      `Cannot read the initializer w of ${file}: Cannot read ${data}: no such file`,
    );
    const bytes = readFileSync(file);
    const name = Buffer.from(basename(data));
    const at = bytes.indexOf(name);
    expect(at).toBeGreaterThan(0);
    Buffer.from('../etc/passwd'.slice(0, name.length).padEnd(name.length, 'x')).copy(bytes, at);
    writeFileSync(file, bytes);
    await expect(loadOnnx(file)).rejects.toThrow("which is no file of the model's folder");
  });

  it('weights behind a symbolic link out of the folder; links to both files are followed', async () => {
    const parts: Parts = {
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      initializers: { w: ones([32, 32]) },
      inputs: { x: ['batch', 32] },
      externalData: true,
    };
    const [own, other] = ['own', 'other'].map((name) => join(folder, name)) as [string, string];
    for (const path of [own, other]) mkdirSync(path);
    const stored = await write(join(other, 'net.onnx'), parts);
    const file = join(own, 'net.onnx');
    const name = basename(dataOf(stored));
    symlinkSync(join(other, name), join(own, name));
    writeFileSync(file, readFileSync(stored));
    await expect(loadOnnx(file)).rejects.toThrow(
      `${file} is damaged: the initializer w has its elements in '${name}', which is no file of the model's folder`,
    );
    rmSync(file);
    symlinkSync(stored, file);
    expect(
      (await loadOnnx(file))
        .forward(ones([1, 32]))
        .sum()
        .item(),
    ).toBe(1024);
  });

  it('names that are given twice', async () => {
    const initializers = { v: ones([4]), w: zeros([4]) };
    const sum = { nodes: [node('Add', ['x', 'w'], ['y'])], initializers };
    expect(await refused({ ...sum, changed: (one) => ({ ...one, name: 'w' }) })).toBe(
      'FILE is damaged: it has two initializers named w',
    );
  });

  it('a file that is cut anywhere, empty, of another kind, or missing', async () => {
    const file = await write(newFile(), {
      nodes: [node('Conv', ['x', 'w'], ['a']), node('Relu', ['a'], ['y'])],
      initializers: { w: ones([2, 2, 3, 3]) },
    });
    const bytes = readFileSync(file);
    for (let length = 0; length < bytes.length; length += 7) {
      writeFileSync(file, bytes.subarray(0, length));
      await expect(loadOnnx(file), `${length} bytes`).rejects.toThrow(CheckpointError);
    }
    writeFileSync(file, '{"this": "is JSON"}');
    await expect(loadOnnx(file)).rejects.toThrow(`${file} is damaged or is not an ONNX file`);
    await expect(loadOnnx(join(folder, 'missing.onnx'))).rejects.toThrow('no such file');
    await expect(loadOnnx(folder)).rejects.toThrow(CheckpointError);
  });

  it('wrong options, by name', async () => {
    const file = await write(newFile(), { nodes: [relu] });
    const wrong = (options: object) => expect(loadOnnx(file, options)).rejects;
    await wrong({ output: ['y'] }).toThrow(ArgumentError);
    await wrong({ outputs: [] }).toThrow('Expected at least one name for outputs but received none');
    await wrong({ outputs: ['y', 'y'] }).toThrow('received y twice');
    await wrong({ parameters: true }).toThrow('Expected a function for parameters');
    await expect(loadOnnx('')).rejects.toThrow('Expected the path of a file for path');
  });

  it('an operation on a shape that does not fit, with its node', async () => {
    const module = await load({
      nodes: [node('Reshape', ['x', 's'], ['y'], {}, 'flatten')],
      initializers: { s: tensor([2n, 7n]) },
    });
    expect(() => module.forward(zeros([1, 2, 6, 6]))).toThrow(ShapeError);
    expect(() => module.forward(zeros([1, 2, 6, 6]))).toThrow("Reshape (node 'flatten')");
  });
});
