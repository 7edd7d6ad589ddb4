/** Synthetic runs on disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunData } from '../../../lib/run/records.js';

const folders: string[] = [];

/** A folder that `removeFolders` removes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-report-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** The lines of metrics.jsonl in the order in which a trainer writes them. */
export function metricsText({ epochs, steps }: RunData): string {
  const lines = epochs.flatMap((epoch) => [...steps.filter((step) => step.epoch === epoch.epoch), epoch]);
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Writes a run as the trainer does, and returns its folder. */
export function writeRun(run: RunData, folder = temporaryFolder()): string {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(run.config));
  writeFileSync(join(folder, 'metrics.jsonl'), metricsText(run));
  if (run.environment) writeFileSync(join(folder, 'environment.json'), JSON.stringify(run.environment));
  if (run.evaluation) writeFileSync(join(folder, 'evaluation.json'), JSON.stringify(run.evaluation));
  if (run.predictions) writeFileSync(join(folder, 'predictions.png'), run.predictions);
  return folder;
}
