/**
 * Event files of TensorBoard: records with CRC-32C around messages of protocol buffers.
 * @see https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto
 * @see https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/summary.proto
 * @module
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import crc32c from 'crc-32/crc32c.js';

/** Counts of values in bins. Bin i holds the values up to `limits[i]`. */
export interface Histogram {
  min: number;
  max: number;
  /** Number of values. */
  count: number;
  sum: number;
  sumSquares: number;
  /** Upper limits of the bins, ascending. */
  limits: readonly number[];
  /** Number of values in each bin. */
  counts: readonly number[];
}

/** What an event reports. */
export type EventContent =
  | { fileVersion: string }
  | { sessionStart: true }
  | { tag: string; scalar: number }
  | { tag: string; histogram: Histogram }
  | { tag: string; text: string };

/**
 * An event as a record of an event file.
 * @param event - Its step, and its time in seconds since 1970.
 */
export function eventRecord(event: { step: number; wallTime: number; content: EventContent }): Uint8Array {
  return framed(encodeEvent(event));
}

/** Length, checksum of the length, bytes, checksum of the bytes. */
function framed(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(bytes.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc(bytes), true);
  return record;
}

/** CRC-32C as it is stored in record files: rotated, plus a constant. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function encodeEvent({ step, wallTime, content }: { step: number; wallTime: number; content: EventContent }) {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(wallTime);
  writer.tag(2, WireType.Varint).int64(step);
  if ('fileVersion' in content) writer.tag(3, WireType.LengthDelimited).string(content.fileVersion);
  else if ('sessionStart' in content) {
    // SessionLog { status: START }
    writer.tag(7, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(1).join();
  } else {
    writer.tag(5, WireType.LengthDelimited).fork(); // Summary
    writer.tag(1, WireType.LengthDelimited).fork(); // Value
    writer.tag(1, WireType.LengthDelimited).string(content.tag);
    encodeValue(writer, content);
    writer.join().join();
  }
  return writer.finish();
}

function encodeValue(writer: BinaryWriter, content: Extract<EventContent, { tag: string }>): void {
  if ('scalar' in content) writer.tag(2, WireType.Bit32).float(content.scalar);
  else if ('histogram' in content) {
    writer.tag(5, WireType.LengthDelimited).fork();
    const { min, max, count, sum, sumSquares, limits, counts } = content.histogram;
    for (const [i, value] of [min, max, count, sum, sumSquares].entries())
      writer.tag(i + 1, WireType.Bit64).double(value);
    for (const [field, values] of [
      [6, limits],
      [7, counts],
    ] as const) {
      writer.tag(field, WireType.LengthDelimited).fork();
      for (const value of values) writer.double(value);
      writer.join();
    }
    writer.join();
  } else {
    // A tensor of one string, with the metadata by which TensorBoard shows it as text.
    writer.tag(9, WireType.LengthDelimited).fork(); // SummaryMetadata
    writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string('text').join();
    writer.tag(4, WireType.Varint).int32(1); // DATA_CLASS_TENSOR
    writer.join();
    writer.tag(8, WireType.LengthDelimited).fork(); // TensorProto
    writer.tag(1, WireType.Varint).int32(7); // DT_STRING
    writer.tag(2, WireType.LengthDelimited).fork(); // TensorShapeProto [1]
    writer.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int64(1).join().join();
    writer.tag(8, WireType.LengthDelimited).bytes(Buffer.from(content.text, 'utf8'));
    writer.join();
  }
}

/**
 * A histogram with bins whose width grows by 10 % from 1e-12 on, on both sides of 0, as TensorBoard's own are. Only the part with values is kept.
 * @param values - NaN is left out.
 */
export function histogramOf(values: ArrayLike<number>): Histogram {
  const counts = new Map<number, number>();
  let [min, max, count, sum, sumSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    sumSquares += value * value;
    const bin = binOf(value);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  if (count === 0) return { min: 0, max: 0, count: 0, sum: 0, sumSquares: 0, limits: [0], counts: [0] };
  const bins = [...counts.keys()].sort((a, b) => a - b);
  const [first, last] = [bins[0]!, bins.at(-1)!];
  const all = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return {
    ...{ min, max, count, sum, sumSquares },
    limits: all.map(limitOf),
    counts: all.map((bin) => counts.get(bin) ?? 0),
  };
}

const SMALLEST = 1e-12;
/** Bins from 1e-12 to 1e20 on each side. */
const MOST = Math.ceil(Math.log(1e20 / SMALLEST) / Math.log(1.1));

/** 0 for values next to 0; the sign is the side. */
function binOf(value: number): number {
  const size = Math.abs(value);
  if (size <= SMALLEST) return 0;
  const bin = Math.min(MOST, Math.floor(Math.log(size / SMALLEST) / Math.log(1.1)) + 1);
  return value > 0 ? bin : -bin;
}

/** The upper limit of a bin. */
function limitOf(bin: number): number {
  if (bin >= MOST) return Number.MAX_VALUE;
  return bin >= 0 ? SMALLEST * 1.1 ** bin : -SMALLEST * 1.1 ** (-bin - 1);
}
