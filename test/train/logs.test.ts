/** Logs of a training for other tools: TensorBoard (read back by its own Python package where that is installed) and Weights & Biases. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import crc32c from 'crc-32/crc32c.js';
import { afterAll, describe, expect, it } from 'vitest';
import { histogramOf } from '../../lib/formats/event-file.js';
import {
  ArgumentError,
  CheckpointError,
  manualSeed,
  nn,
  optim,
  randn,
  tensor,
  train,
} from '../../lib/index.js';
import { hasModule, runPython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-logs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The payloads of an event file, after a check of both checksums of every record. */
function recordsOf(path: string): Uint8Array[] {
  const bytes = readFileSync(path);
  const masked = (part: Uint8Array) => {
    const crc = crc32c.buf(part) >>> 0;
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  };
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    const content = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(content));
    records.push(content);
    at += 16 + length;
  }
  return records;
}

/** Field numbers of a message. */
function fields(message: Uint8Array): number[] {
  const reader = new BinaryReader(message);
  const found: number[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    found.push(field);
    reader.skip(type, field);
  }
  expect(WireType.Varint).toBe(0);
  return found;
}

class Linear extends nn.Module {
  fc = new nn.Linear(4, 3);
  forward(x: import('../../lib/index.js').Tensor) {
    return this.fc.forward(x.flatten(1));
  }
}

function source(batches = 4): train.BatchSource {
  return {
    length: batches,
    async *[Symbol.asyncIterator]() {
      for (let b = 0; b < batches; b++)
        yield { images: randn([6, 1, 2, 2]), labels: tensor([0, 1, 2, 0, 1, 2], { dtype: 'int64' }) };
    },
  };
}

function trainer(callbacks: train.Callback[], options: Partial<train.TrainerOptions> = {}) {
  manualSeed(3);
  const model = options.model ?? new Linear();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
  return new train.Trainer({
    model,
    optimizer,
    trainLoader: source(),
    valLoader: source(1),
    epochs: 2,
    callbacks,
    ...options,
  });
}

// Known values: https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
it('CRC-32C is that of the standard', () => {
  expect(crc32c.buf(new Uint8Array(32)) >>> 0).toBe(0x8a9136aa);
  expect(crc32c.buf(new Uint8Array(32).fill(0xff)) >>> 0).toBe(0x62a8ab43);
});

describe('TensorBoard', () => {
  it('logs a training: steps, epochs, histograms of gradients', async () => {
    const out = join(folder, 'training');
    const model = new Linear();
    const board = new train.TensorBoard(out, { model, histogramEvery: 4 });
    const losses: number[] = [];
    const records: train.EpochRecord[] = [];
    const run = trainer([board], { model, metrics: { top2: train.metrics.topK(2) } });
    run.on('step', ({ loss }) => void losses.push(loss));
    run.on('epoch', (record) => void records.push(record));
    await run.fit();
    expect(readdirSync(out)).toHaveLength(1);
    const events = recordsOf(board.path);
    expect(fields(events[0]!)).toEqual([1, 2, 3]);
    expect(events.slice(1).every((event) => fields(event).join() === '1,2,5')).toBe(true);
    // 8 steps of 4 numbers, 2 histograms for each of 2 parameters, 2 epochs of 7 numbers.
    expect(events).toHaveLength(1 + 8 * 4 + 2 * 4 + 2 * 7);
    writeFileSync(join(folder, 'expected.json'), JSON.stringify({ losses, records }));
  });

  it.skipIf(!hasModule('tensorboard'))(
    "is read back by TensorBoard's EventAccumulator",
    { timeout: 120_000 },
    async () => {
      const out = join(folder, 'python');
      const board = new train.TensorBoard(out);
      const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) ** 3 * 10);
      board.addScalar('a/scalar', 1.5, 1, { wallTime: 12.25 });
      board.addScalar('a/scalar', -2.5e10, 5);
      board.addScalar('ünïcode', Number.NaN, 2 ** 40);
      board.addHistogram('values', values, 3);
      board.addHistogram('tensor', tensor([0, 0, -1, 1e30]), 3);
      board.addText('note', 'some **text**', 7);
      await board.close();
      const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
def read(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0, "tensors": 0}).Reload()
    tags = events.Tags()
    return {
        "scalars": {tag: [[e.step, repr(e.value), e.wall_time] for e in events.Scalars(tag)] for tag in tags["scalars"]},
        "histograms": {tag: [[e.step, [e.histogram_value.min, e.histogram_value.max, e.histogram_value.num, e.histogram_value.sum, e.histogram_value.sum_squares], list(e.histogram_value.bucket_limit), list(e.histogram_value.bucket)] for e in events.Histograms(tag)] for tag in tags["distributions"]},
        "texts": {tag: [e.tensor_proto.string_val[0].decode() for e in events.Tensors(tag)] for tag in tags["tensors"]},
    }
print(json.dumps([read(folder) for folder in sys.argv[1:]]))
`;
      const [own, training] = JSON.parse(runPython(script, out, join(folder, 'training')));
      expect(own.scalars['a/scalar'][0]).toEqual([1, '1.5', 12.25]);
      expect(own.scalars['a/scalar'][1].slice(0, 2)).toEqual([5, `${String(Math.fround(-2.5e10))}.0`]);
      expect(own.scalars.ünïcode[0].slice(0, 2)).toEqual([2 ** 40, 'nan']);
      expect(own.texts.note).toEqual(['some **text**']);
      const [[step, [min, max, count, sum], limits, counts]] = own.histograms.values;
      expect([step, count]).toEqual([3, 1000]);
      expect([min, max]).toEqual([Math.min(...values), Math.max(...values)]);
      expect(sum).toBeCloseTo(
        values.reduce((a, b) => a + b, 0),
        6,
      );
      for (const [i, limit] of limits.entries()) {
        const below = i === 0 ? Number.NEGATIVE_INFINITY : limits[i - 1];
        expect(counts[i]).toBe(values.filter((value) => value > below && value <= limit).length);
      }
      const { losses, records } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
      expect(
        training.scalars['train/loss'].map(([at, value]: [number, string]) => [at, Number(value)]),
      ).toEqual(losses.map((loss: number, i: number) => [i + 1, Math.fround(loss)]));
      expect(
        training.scalars['val/top2'].map(([at, value]: [number, string]) => [at, Number(value)]),
      ).toEqual(
        records.map((record: train.EpochRecord, i: number) => [
          4 * (i + 1),
          Math.fround(record.metrics!.top2 as number),
        ]),
      );
      expect(Object.keys(training.histograms).sort()).toEqual([
        'gradients/fc.bias',
        'gradients/fc.weight',
        'parameters/fc.bias',
        'parameters/fc.weight',
      ]);
      expect(
        training.histograms['gradients/fc.weight'].map(([at, [, , n]]: [number, number[]]) => [at, n]),
      ).toEqual([
        [4, 12],
        [8, 12],
      ]);
    },
  );

  it('histograms hold every value once', () => {
    const { min, max, count, sum, sumSquares, limits, counts } = histogramOf([
      0,
      1e-13,
      -3,
      2,
      2,
      Number.NaN,
      1e25,
      Number.POSITIVE_INFINITY,
    ]);
    expect([min, max, count, sum, sumSquares]).toEqual([
      -3,
      Number.POSITIVE_INFINITY,
      7,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(7);
    expect(limits).toEqual(limits.toSorted((a, b) => a - b));
    expect(counts[limits.findIndex((limit) => limit >= 2)]).toBe(2);
    expect(counts[limits.findIndex((limit) => limit >= 0)]).toBe(2);
    expect(histogramOf([])).toMatchObject({ count: 0, limits: [0], counts: [0] });
  });

  it('of a training that begins again in its folder replaces what is there, but not what the log itself has', async () => {
    const out = join(folder, 'again');
    const first = new train.TensorBoard(out);
    first.addText('note', 'before the training', 0);
    await trainer([first]).fit();
    const starts = (board: train.TensorBoard) =>
      recordsOf(board.path).flatMap((event, i) => (fields(event).includes(7) ? [i] : []));
    expect(starts(first)).toEqual([]);
    // As after an interruption before the first checkpoint.
    const second = new train.TensorBoard(out);
    await trainer([second]).fit();
    expect(readdirSync(out)).toHaveLength(2);
    expect(starts(second)).toEqual([1]);
    const reader = new BinaryReader(recordsOf(second.path)[1]!);
    const steps: number[] = [];
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 2) steps.push(Number(reader.int64()));
      else reader.skip(type, field);
    }
    expect(steps).toEqual([1]);
  });

  it('bad input is named, and an error of the file is reported by flush', async () => {
    const board = new train.TensorBoard(join(folder, 'training', 'x'));
    const refused: [() => unknown, string][] = [
      [() => new train.TensorBoard(''), 'the path of a folder for folder'],
      [() => new train.TensorBoard('x', { logEvery: 0 }), 'an integer of at least 1 for logEvery'],
      [() => new train.TensorBoard('x', { model: {} as never }), 'a Module for model'],
      [() => board.addScalar('a', '1' as never, 1), "a number for value but received '1'"],
      [() => board.addScalar('a', 1, 1.5), 'an integer for step but received 1.5'],
      [() => board.addScalar(5 as never, 1, 1), 'a name for tag'],
      [() => board.addHistogram('a', 5 as never, 1), 'a Tensor or an array of numbers for values'],
      [() => board.addText('a', 5 as never, 1), 'for text'],
      [() => board.addScalar('a', 1, 1, { time: 1 } as never), "but received 'time'"],
    ];
    for (const [call, message] of refused) {
      expect(call, message).toThrow(ArgumentError);
      expect(call).toThrow(message);
    }
    writeFileSync(join(folder, 'file'), '');
    const blocked = new train.TensorBoard(join(folder, 'file', 'sub'));
    blocked.addScalar('a', 1, 1);
    await expect(blocked.flush()).rejects.toThrow(CheckpointError);
    await blocked.close();
  });
});

describe('WandbHistory', () => {
  it('writes rows with the keys of wandb', async () => {
    const file = join(folder, 'deep', 'history.jsonl');
    await trainer([new train.WandbHistory(file, { logEvery: 2 })]).fit();
    const rows = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map((row) => row._step)).toEqual([2, 4, 4, 6, 8, 8]);
    expect(Object.keys(rows[0])).toEqual([
      'train/loss',
      'train/accuracy',
      'train/lr',
      'train/images_per_second',
      '_step',
      '_timestamp',
      '_runtime',
    ]);
    expect(rows[2]).toMatchObject({ epoch: 1, 'val/accuracy': expect.any(Number) });
    expect(rows[5]._runtime).toBeGreaterThanOrEqual(rows[0]._runtime);
    expect(() => new train.WandbHistory(file, { logEvery: 0.5 })).toThrow(
      'an integer of at least 1 for logEvery',
    );
    expect(existsSync(file)).toBe(true);
  });
});
