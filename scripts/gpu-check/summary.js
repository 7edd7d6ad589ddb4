/**
 * The results of `gpu-check` as a page of Markdown.
 * @module
 */

import { ARTICLE, ARTICLE_EPOCHS, ARTICLE_IMAGES_PER_SECOND } from '../cli/article.js';

/** @import { PartResult, Results } from './run.js' */

const TRAIN_IMAGES = 50_000;

/** @typedef {{ infer_ms: number, train_ms: number }} Times */

/** @param {Results} results */
export function summaryOf(results) {
  const { machine, parts } = results;
  const { gpu, libtorch } = machine;
  const { version, commit } = results.source;
  const about = [
    `dyconv ${version}, commit ${commit ?? 'unknown'}`,
    `GPU: ${gpu.name}, compute capability ${gpu.capability}, ${gpu.memory ?? 'unknown'} MiB, driver ${gpu.driver}`,
    `libtorch: ${libtorch ? `${libtorch.version} (CUDA ${machine.cuda}) in ${libtorch.dir}` : 'none'}; nvcc: ${machine.nvcc ?? 'none'}`,
    `PyTorch in ${machine.python}: ${machine.torch ?? 'none'}; compute-sanitizer: ${machine.sanitizer ?? 'none'}`,
    `Started ${results.started}, ${results.ended ? `ended ${results.ended}` : 'not ended'}, for ${results.minutes} minutes`,
  ];
  const sections = [
    `# GPU check\n\n${about.map((line) => `- ${line}`).join('\n')}`,
    partTable(parts),
    aims(parts),
    facts(parts),
    deviations(parts.kernels),
    benchmarkTable('Networks: milliseconds per step of 128 images', timesOf(parts, ['model', 'compile'])),
    benchmarkTable('One layer: milliseconds per step of 128 images', timesOf(parts, ['layer'])),
    notMeasured(parts),
    trainings(parts),
    tuning(parts.tune),
  ];
  return `${sections.filter(Boolean).join('\n\n')}\n`;
}

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param {Record<string, PartResult>} parts */
function partTable(parts) {
  const rows = Object.entries(parts).map(([name, { title, status, seconds, planned, reason, log }]) => [
    name,
    title,
    status,
    `${seconds ?? '-'} (${Math.round(planned)})`,
    reason ?? '',
    log ? `[log](${log})` : '',
  ]);
  return `## Parts\n\n${table(['part', 'what', 'result', 'seconds (planned)', 'reason', 'log'], rows)}`;
}

/** What the build and the tests report. @param {Record<string, PartResult>} parts */
function facts({ build, suite }) {
  /** @type {string[]} */
  const lines = [];
  const { built, seconds, slowest } =
    /** @type {{ built?: number, seconds?: Record<string, number>, slowest?: { file: string, seconds: number }[] }} */ (
      build?.figures ?? {}
    );
  if (seconds) {
    const steps = Object.entries(seconds).map(([step, value]) => `${step} ${value} s`);
    lines.push(`Build of ${built} files: ${steps.join(', ')}`);
    for (const one of slowest ?? []) lines.push(`${one.seconds} s: ${one.file}`);
  }
  const { passed, failed, skipped } =
    /** @type {{ passed?: number, failed?: string[], skipped?: string[] }} */ (suite?.figures ?? {});
  if (passed !== undefined) {
    lines.push(`Tests: ${passed} passed, ${failed?.length ?? 0} failed, ${skipped?.length ?? 0} skipped`);
    for (const name of failed ?? []) lines.push(`failed: ${name}`);
  }
  return lines.length > 0 ? `## Build and tests\n\n${lines.map((line) => `- ${line}`).join('\n')}` : '';
}

/** Times of benchmarks by contestant. @param {Record<string, PartResult>} parts @param {readonly string[]} names @returns {Record<string, Times>} */
function timesOf(parts, names) {
  return Object.assign({}, ...names.map((name) => parts[name]?.figures.times ?? {}));
}

/** The figures that the project aims at, each with what was measured. @param {Record<string, PartResult>} parts */
function aims(parts) {
  const times = timesOf(parts, ['model', 'compile']);
  const best = (/** @type {RegExp} */ name, /** @type {keyof Times} */ what) => {
    const found = Object.entries(times).filter(([key, value]) => name.test(key) && value[what] > 0);
    return found.length > 0 ? Math.min(...found.map(([, value]) => value[what])) : null;
  };
  const [own, dynamic] = [best(/^alexnet(:|$)/, 'train_ms'), best(/^alexnet-dy(:|$)/, 'train_ms')];
  const [others, infer] = [best(/^pytorch:static/, 'train_ms'), best(/^alexnet-dy(:|$)/, 'infer_ms')];
  const ratio = (/** @type {number | null} */ a, /** @type {number | null} */ b) => (a && b ? a / b : null);
  const perSecond = infer && (128 * 1000) / infer / ARTICLE_IMAGES_PER_SECOND;
  const rows = [
    aim(
      "AlexNet's training speed relative to PyTorch's best mode",
      'at least 1.0',
      ratio(others, own),
      (x) => x >= 1,
    ),
    aim(
      "AlexNet-DY's training step relative to AlexNet's",
      'at most 1.10',
      ratio(dynamic, own),
      (x) => x <= 1.1,
    ),
    aim(
      "AlexNet-DY's inference relative to the article's 1,764 images/s",
      'at least 10',
      perSecond,
      (x) => x >= 10,
    ),
    ...['alexnet', 'alexnet-dy'].map((model) =>
      aim(
        `minutes of ${ARTICLE_EPOCHS} epochs of ${model}`,
        'below 10',
        minutesOf(parts[`train-${model}`]),
        (x) => x < 10,
      ),
    ),
  ];
  return `## Aims\n\n${table(['aim', 'expected', 'measured', 'result'], rows)}`;
}

/** @param {string} what @param {string} expected @param {number | null} value @param {(value: number) => boolean} isMet */
function aim(what, expected, value, isMet) {
  if (value === null) return [what, expected, '-', 'not measured'];
  return [what, expected, value.toFixed(2), isMet(value) ? 'met' : 'missed'];
}

/** @typedef {{ epoch: number, seconds: number, time: string, train: { accuracy: number }, val: { accuracy: number } | null }} Epoch */

/** The epochs of a training part. @param {PartResult | undefined} part */
const epochsOf = (part) => /** @type {Epoch[]} */ (part?.figures.epochs ?? []);

/** Minutes that 100 epochs take at the measured speed, validation included; the first epoch, which warms up, is left out. @param {PartResult | undefined} part */
function minutesOf(part) {
  const ends = epochsOf(part).map(({ time }) => Date.parse(time));
  const [first = 0] = ends;
  if (ends.length < 2) return null;
  return (ARTICLE_EPOCHS * ((ends.at(-1) ?? 0) - first)) / (ends.length - 1) / 60_000;
}

/** @param {PartResult | undefined} part */
function deviations(part) {
  const rows =
    /** @type {{ kernel: string, dtype: string, worst: number, allowed: number, cases: number }[]} */ (
      part?.figures.deviations ?? []
    );
  if (rows.length === 0) return '';
  const cells = rows.map(({ kernel, dtype, worst, allowed, cases }) => [
    ...[kernel, dtype, worst.toExponential(1), allowed.toExponential(1), String(cases)],
    worst <= allowed ? '' : '**too large**',
  ]);
  const head = ['kernel', 'dtype', 'largest', 'allowed', 'results', ''];
  return `## Deviations from float64\n\nRelative to the largest magnitude of a result.\n\n${table(head, cells)}`;
}

/** @param {string} title @param {Record<string, Times>} times */
function benchmarkTable(title, times) {
  const rows = Object.entries(times).map(([name, { infer_ms, train_ms }]) => [
    ...[name, infer_ms.toFixed(2), train_ms.toFixed(2)],
    ...[infer_ms, train_ms].map((ms) => Math.round((128 * 1000) / ms).toLocaleString('en')),
  ]);
  if (rows.length === 0) return '';
  return `## ${title}\n\n${table(['contestant', 'inference', 'training', 'inference, images/s', 'training, images/s'], rows)}`;
}

/** The contestants of the benchmarks that failed or do not apply. @param {Record<string, PartResult>} parts */
function notMeasured(parts) {
  const lines = ['model', 'compile', 'layer'].flatMap((name) =>
    Object.entries(/** @type {Record<string, string>} */ (parts[name]?.figures.skipped ?? {})).map(
      ([contestant, reason]) => `- ${name}, ${contestant}: ${reason.split('\n')[0]}`,
    ),
  );
  return lines.length > 0 ? `## Not measured\n\n${lines.join('\n')}` : '';
}

/** @param {Record<string, PartResult>} parts */
function trainings(parts) {
  const rows = ['alexnet', 'alexnet-dy'].flatMap((model) => {
    const epochs = epochsOf(parts[`train-${model}`]);
    const last = epochs.at(-1);
    if (!last) return [];
    const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
    const best = Math.max(...epochs.map(({ val }) => val?.accuracy ?? 0));
    const speed = Math.round((TRAIN_IMAGES * epochs.length) / seconds).toLocaleString('en');
    return [
      [
        model,
        String(last.epoch),
        speed,
        last.train.accuracy.toFixed(4),
        best.toFixed(4),
        String(ARTICLE.get(model)?.val),
      ],
    ];
  });
  if (rows.length === 0) return '';
  const head = [
    'network',
    'epochs',
    'images/s',
    'training accuracy',
    'best test accuracy',
    `article, ${ARTICLE_EPOCHS} epochs`,
  ];
  return `## Training on CIFAR-10\n\n${table(head, rows)}`;
}

/** @param {PartResult | undefined} part */
function tuning(part) {
  const {
    rows = 0,
    slower = [],
    splits = {},
  } = /** @type {{ rows?: number, slower?: Record<string, unknown>[], splits?: Record<string, number> }} */ (
    part?.figures ?? {}
  );
  if (rows === 0) return '';
  const cells = slower.map((row) =>
    ['dtype', 'what', 'problem', 'auto', 'fastest', 'factor'].map((key) => String(row[key])),
  );
  const best = Object.entries(splits).map(([name, value]) => `${name} ${value}`);
  const text = `${rows} problems were measured: tune/cuda-tuning.json. Splits with the shortest steps: ${best.join(', ')}. `;
  if (slower.length === 0)
    return `## Choice of the algorithm\n\n${text}\`auto\` is nowhere more than 5 % slower than the fastest.`;
  const head = ['dtype', 'step', 'batch x in x out x size x experts', 'auto', 'fastest', 'times slower'];
  return `## Choice of the algorithm\n\n${text}\`auto\` is more than 5 % slower than the fastest for ${slower.length}:\n\n${table(head, cells)}`;
}
