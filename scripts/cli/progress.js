/**
 * The progress of a training: a bar on a terminal, otherwise lines of text.
 * @module
 */
import cliProgress from 'cli-progress';
import { colors } from './colors.js';

/** @import { EpochRecord, StepEvent } from '../../dist/train/index.js' */
/** @typedef {ReturnType<typeof colors>} Colors */
/** @typedef {{ stream: NodeJS.WriteStream, epochs: number, label: string, signal?: AbortSignal | undefined }} ProgressOptions */

/**
 * @param {ProgressOptions} options - `label` names the model; `signal` ends the bar, so that what is printed then is not
 *   drawn over.
 * @returns {{ step: (event: StepEvent) => void, epoch: (record: EpochRecord) => void, stop: () => void }}
 */
export function createProgress(options) {
  const isTerminal = options.stream.isTTY && process.env.TERM !== 'dumb';
  return isTerminal ? barProgress(options) : lineProgress(options);
}

/** @param {ProgressOptions} options */
function barProgress({ stream, epochs, label, signal }) {
  const bar = new cliProgress.SingleBar({
    stream,
    format: `${label} {epoch}/${epochs} {bar} {percentage}%  loss {loss}  acc {accuracy}  {speed} images/s  {left} left`,
    barsize: 20,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
  });
  signal?.addEventListener('abort', () => bar.stop());
  return {
    /** @param {StepEvent} event */
    step(event) {
      if (signal?.aborted) return;
      const fields = {
        epoch: event.epoch,
        loss: event.loss.toFixed(3),
        accuracy: event.accuracy.toFixed(3),
        speed: Math.round(event.imagesPerSecond),
        left: formatSeconds(secondsLeft(event, epochs)),
      };
      if (bar.isActive) bar.update(event.batch, fields);
      else bar.start(event.batches, event.batch, fields);
    },
    /** @param {EpochRecord} record */
    epoch(record) {
      bar.stop();
      stream.write(`${formatEpoch(record, epochs, label, colors(stream))}\n`);
    },
    stop: () => bar.stop(),
  };
}

/** @param {ProgressOptions} options */
function lineProgress({ stream, epochs, label }) {
  return {
    /** @param {StepEvent} event */
    step(event) {
      const { batch, batches, accumulated } = event;
      const tenth = (/** @type {number} */ count) => Math.floor((10 * count) / batches);
      if (tenth(batch) === tenth(batch - accumulated) || batch === batches) return;
      stream.write(
        `${label} epoch ${event.epoch}/${epochs}  ${tenth(batch) * 10} %  loss ${event.loss.toFixed(4)}  ` +
          `acc ${event.accuracy.toFixed(4)}  ${Math.round(event.imagesPerSecond)} images/s  ` +
          `${formatSeconds(secondsLeft(event, epochs))} left\n`,
      );
    },
    /** @param {EpochRecord} record */
    epoch: (record) => void stream.write(`${formatEpoch(record, epochs, label, colors(stream))}\n`),
    stop: () => {},
  };
}

/** Every epoch as one line of JSON on stdout, as in metrics.jsonl. */
export function jsonProgress() {
  return {
    step: () => {},
    /** @param {EpochRecord} record */
    epoch: (record) => console.log(JSON.stringify(record)),
    stop: () => {},
  };
}

/**
 * The line of the article per epoch, with the speed.
 * @param {EpochRecord} record
 * @param {number} epochs
 * @param {string} label
 * @param {Pick<Colors, 'bold' | 'green'>} paint
 */
export function formatEpoch(record, epochs, label, paint) {
  const { epoch, lr, temperature, train, val } = record;
  const parts = [
    `${paint.bold(label)} epoch ${epoch}/${epochs}`,
    `lr ${Number(lr.toPrecision(4))}`,
    temperature !== null && `temperature ${temperature}`,
    `train loss ${train.loss.toFixed(4)} acc ${train.accuracy.toFixed(4)}`,
    val && paint.green(`val loss ${val.loss.toFixed(4)} acc ${val.accuracy.toFixed(4)}`),
    `${Math.round(record.imagesPerSecond)} images/s`,
    `${((100 * record.dataSeconds) / record.seconds).toFixed(1)} % waiting for data`,
  ];
  return parts.filter(Boolean).join('  ');
}

/** Time the training batches still need; validation is not in it. @param {StepEvent} event @param {number} epochs */
function secondsLeft({ epoch, batch, batches, step, imagesPerSecond, images, accumulated }, epochs) {
  const batchesLeft = batches - batch + (epochs - epoch) * batches;
  return step > 0 && imagesPerSecond > 0 ? (batchesLeft * images) / accumulated / imagesPerSecond : 0;
}

/** @param {number} seconds */
export function formatSeconds(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
}
