/**
 * `metrics.jsonl`: one record a line.
 * @module
 */
import { checkRecord, checkString } from '../check/index.js';
import { parseArgument, parseStored, type Schema } from '../check/schema.js';
import { CheckpointError, describe } from '../errors.js';
import { parseJsonObject } from '../files/json.js';
import { toJson } from './files.js';
import type { EpochRecord, MetricsRecord, StepRecord } from './records.js';
import { RECORDS, STORED } from './schema.js';

/** A line of the file. */
export interface MetricsLine {
  /** The contents of the line, unchanged. */
  stored: Record<string, unknown>;
  /** The record; null if its type is unknown to this version. */
  record: MetricsRecord | null;
}

/** The schema of a record by its type, if the type is known to this version. */
function schemaOf(type: string, { epoch, step }: typeof RECORDS): Schema<MetricsRecord> | undefined {
  if (type === 'epoch') return epoch;
  return type === 'step' ? step : undefined;
}

/**
 * The lines of a `metrics.jsonl`. A last line that was cut off by a crash is left out.
 * @param text - The whole file.
 * @param file - Its name, for messages.
 * @throws {CheckpointError} naming file, line and key where a line is no valid record.
 */
export function parseLines(text: string, file: string): MetricsLine[] {
  const lines = text.split('\n');
  // Without its newline, the last line was never finished; no other one can be cut off.
  const last = lines.length - 1;
  return lines.flatMap((line, index) => {
    if (line.trim() === '' || (index === last && !isJson(line))) return [];
    const where = `${file}:${index + 1}`;
    const stored = parseJsonObject(line, where);
    const { type } = stored;
    if (typeof type !== 'string')
      throw new CheckpointError(
        `${where} is damaged: Expected a string for type but received ${describe(type)}`,
      );
    const schema = schemaOf(type, STORED);
    return [{ stored, record: schema ? parseStored(schema, stored, where) : null }];
  });
}

/**
 * The line of a record.
 * @throws {ArgumentError} naming the field that does not fit.
 */
export function toLine(record: MetricsRecord): string {
  const { type } = checkRecord(record, 'record', 'a record', { type: 'string' });
  const schema = schemaOf(type, RECORDS);
  return `${toJson('record', schema ? parseArgument(schema, record, 'record') : record)}\n`;
}

/**
 * Parses the text of a `metrics.jsonl`. A last line that was cut off by a crash is left out, and so are records of a type
 * that is unknown to this version. Of two records of one epoch or step, as after a resume, the later one is used.
 * @param text - the whole file
 * @param file - its name, for messages
 * @throws ArgumentError unless both are strings; CheckpointError naming file, line and key where a line is no valid record
 */
export function parseMetrics(text: string, file: string): { epochs: EpochRecord[]; steps: StepRecord[] } {
  checkString(text, 'text', 'the text of a metrics.jsonl');
  checkString(file, 'file', 'the name of the file');
  const epochs: EpochRecord[] = [];
  const steps: StepRecord[] = [];
  for (const { record } of parseLines(text, file)) {
    if (record?.type === 'epoch') append(epochs, record, ({ epoch }) => epoch);
    else if (record?.type === 'step') append(steps, record, ({ step }) => step);
  }
  return { epochs, steps };
}

/** Appends a record; one that goes back (a resumed run repeats what its checkpoint had not seen) replaces. */
function append<T>(records: T[], record: T, position: (record: T) => number): void {
  while (records.length > 0 && position(records.at(-1)!) >= position(record)) records.pop();
  records.push(record);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
