/** What cannot be quantized, and damaged files of programs in int8. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../lib/formats/safetensors.js';
import {
  ArgumentError,
  CheckpointError,
  DTypeError,
  full,
  loadProgram,
  nn,
  noGrad,
  type Program,
  type QuantizeOptions,
  randn,
  ShapeError,
  saveSafetensors,
  zeros,
} from '../../lib/index.js';
import { makeNet } from '../onnx/int8.js';
import { both, images } from './int8.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-quantize-'));
afterAll(() => rm(folder, { recursive: true }));

/** The steps of a file. */
interface Changed {
  quantization: { layers: number[]; ranges: { slot: number; scale: string; zeroPoint: number }[] } | null;
}

describe('what is refused', () => {
  const rejected = async (
    program: Program<unknown>,
    options: unknown,
    kind: typeof ArgumentError | typeof ShapeError | typeof DTypeError,
    message: string,
  ) => {
    const result = program.quantize(options as QuantizeOptions);
    await expect(result).rejects.toThrow(kind);
    await expect(result).rejects.toThrow(message);
  };

  it('options', async () => {
    const program = nn.compile(makeNet(), images());
    const x = images();
    await rejected(program, undefined, ArgumentError, 'options');
    await rejected(
      program,
      {},
      ArgumentError,
      'Expected an iterable of batches for calibration but received undefined',
    );
    await rejected(
      program,
      { calibration: x },
      ArgumentError,
      'Expected an iterable of batches for calibration',
    );
    await rejected(program, { calibration: [] }, ArgumentError, 'for calibration but received none');
    await rejected(
      program,
      { calibration: [zeros([0, 3, 8, 8])] },
      ArgumentError,
      'but received 1 without any',
    );
    await rejected(
      program,
      { calibration: [x, 3] },
      ArgumentError,
      'for calibration[1] but received 3 (number)',
    );
    await rejected(
      program,
      { calibration: [[x, x]] },
      ArgumentError,
      'Expected 1 tensor for calibration[0] but received 2',
    );
    await rejected(
      program,
      { calibration: [x.to({ dtype: 'float64' })] },
      DTypeError,
      'Expected float32 for the input of calibration[0]',
    );
    await rejected(
      program,
      { calibration: [zeros([1, 3, 8, 9])] },
      ShapeError,
      'Expected shape [B, 3, 8, 8] for the input of calibration[0] but received [1, 3, 8, 9]',
    );
    await rejected(
      program,
      { calibration: [x, full([1, 3, 8, 8], Number.NaN)] },
      ArgumentError,
      'Expected finite values with calibration[1] but the input of features.2 has NaN',
    );
    await rejected(
      program,
      { calibration: [x], percentile: 20 },
      ArgumentError,
      'for percentile but received 20',
    );
    await rejected(program, { calibration: [x], floatLayers: 'features' }, ArgumentError, 'for floatLayers');
    await rejected(
      program,
      { calibration: [x], floatLayers: ['features.1'] },
      ArgumentError,
      'for floatLayers but received features.1; the network has features.0, features.2, features.6, classifier.0, classifier.2',
    );
    await rejected(
      program,
      { calibration: [x], floatLayers: ['features', 'classifier'] },
      ArgumentError,
      'besides floatLayers for int8 but it has none',
    );
    await rejected(program, { calibration: [x], bits: 4 }, ArgumentError, 'bits');
  });

  it('programs without layers for it', async () => {
    const x = randn([2, 4]);
    const only = nn.compile(new nn.Linear(4, 3).eval(), x);
    await rejected(
      only,
      { calibration: [x] },
      ArgumentError,
      'besides the first and the last one for int8 but it has none: floatLayers: [] quantizes these too',
    );
    for (const [options, text] of [
      [{ dtype: 'bfloat16' }, 'in bfloat16'],
      [{ optimize: false }, 'with { optimize: false }'],
    ] as const) {
      const other = nn.compile(new nn.Linear(4, 3).eval(), x, options);
      await rejected(other, { calibration: [x], floatLayers: [] }, ArgumentError, `but received one ${text}`);
    }
    const twice = await only.quantize({ calibration: [x], floatLayers: [] });
    await rejected(twice, { calibration: [x] }, ArgumentError, 'but received one in int8');
    only.dispose();
    await expect(only.quantize({ calibration: [x] })).rejects.toThrow('disposed');
  });

  it('int8 as the dtype of a compilation, with the way to it', () => {
    const compiled = () => nn.compile(new nn.Linear(4, 3).eval(), randn([2, 4]), { dtype: 'int8' as never });
    expect(compiled).toThrow(ArgumentError);
    expect(compiled).toThrow('for int8, call quantize() of the program');
  });

  it('weights that are not finite', async () => {
    const layer = new nn.Linear(4, 3).eval();
    const x = randn([2, 4]);
    const { quantized } = await both(layer, x, { floatLayers: [] });
    noGrad(() => layer.weight.fill_(Number.POSITIVE_INFINITY));
    expect(() => quantized.runSync(x)).toThrow('Expected finite weights');
  });

  it('files with other layers, ranges or settings', async () => {
    const { quantized } = await both(makeNet(), images());
    await quantized.save(join(folder, 'good.dyc'));
    const { tensors, metadata } = await readSafetensors(join(folder, 'good.dyc'));
    const load = async (change: (graph: Changed) => unknown, settings = metadata.settings!) => {
      const graph = JSON.parse(metadata.program!);
      change(graph);
      await saveSafetensors(join(folder, 'bad.dyc'), tensors, {
        metadata: { ...metadata, program: JSON.stringify(graph), settings },
      });
      return loadProgram(join(folder, 'bad.dyc'));
    };
    await load(() => {});
    for (const change of [
      (graph) => (graph.quantization!.layers[0] = 0),
      (graph) => (graph.quantization!.layers[0] = 1e9),
      (graph) => (graph.quantization!.ranges = []),
      (graph) => (graph.quantization!.ranges[0]!.scale = '-1'),
      (graph) => (graph.quantization!.ranges[0]!.scale = 'nan'),
      (graph) => (graph.quantization!.ranges[0]!.zeroPoint = 256),
      (graph) => (graph.quantization!.ranges[0]!.slot = -1),
      (graph) => (graph.quantization = null),
      (graph) => delete (graph.quantization as { layers?: number[] }).layers,
    ] satisfies ((graph: Changed) => unknown)[]) {
      const result = load(change);
      await expect(result).rejects.toThrow(CheckpointError);
      await expect(result).rejects.toThrow('is damaged');
    }
    for (const settings of ['{"dtype":"float32","optimize":true}', '{"dtype":"int8","optimize":false}'])
      await expect(load(() => {}, settings)).rejects.toThrow('is damaged');
  });
});
