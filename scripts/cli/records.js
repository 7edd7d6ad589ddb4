/**
 * The records of runs: what docs/results keeps of them.
 * @module
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of a finished run that are kept: all except weights and images of predictions. */
const RECORDS = ['config.json', 'environment.json', 'metrics.jsonl', 'evaluation.json', 'curves.svg'];

/**
 * Copies the records of runs to `records/`.
 * @param {string} out - The folder of the runs.
 * @param {readonly string[]} names - Of the runs.
 * @returns {Promise<string[]>} The folders of the records.
 */
export async function collectRecords(out, names) {
  const copied = names.map(async (name) => {
    const folder = join(out, 'records', name);
    await mkdir(folder, { recursive: true });
    for (const file of RECORDS) await copyFile(join(out, name, file), join(folder, file));
    return folder;
  });
  return Promise.all(copied);
}
