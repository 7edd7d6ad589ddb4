/**
 * The numbers of a training by name, for logs of other tools.
 * @module
 */
import type { EpochRecord } from '../run/records.js';
import type { StepEvent } from './events.js';

/** A number with its name. */
export type Scalar = readonly [tag: string, value: number];

/** The numbers of a step. */
export function stepScalars({ loss, accuracy, lr, gradNorm, imagesPerSecond }: StepEvent): Scalar[] {
  return [
    ['train/loss', loss],
    ['train/accuracy', accuracy],
    ['train/lr', lr],
    ['train/images_per_second', imagesPerSecond],
    ...(gradNorm === null ? [] : ([['train/grad_norm', gradNorm]] as const)),
  ];
}

/** The numbers of an epoch; metrics that are not numbers are left out. */
export function epochScalars(record: EpochRecord): Scalar[] {
  const { train, val, temperature, seconds, dataSeconds, metrics = {} } = record;
  const numbers = Object.entries(metrics).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return [
    ['epoch/train_loss', train.loss],
    ['epoch/train_accuracy', train.accuracy],
    ...(val
      ? ([
          ['val/loss', val.loss],
          ['val/accuracy', val.accuracy],
        ] as const)
      : []),
    ...numbers.map(([name, value]): Scalar => [`val/${name}`, value]),
    ...(temperature === null ? [] : ([['epoch/temperature', temperature]] as const)),
    ['epoch/seconds', seconds],
    ['epoch/data_seconds', dataSeconds],
  ];
}
