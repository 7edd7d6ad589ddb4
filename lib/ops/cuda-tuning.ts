/**
 * Tables of measured dynamic convolutions on GPUs: from files or objects to the add-on, which chooses algorithms by them. docs/cuda.md
 * describes the format.
 * @module
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { checkIterable } from '../check/index.js';
import { fitting, integer, object, parseArgument, type Schema } from '../check/schema.js';
import { ArgumentError } from '../errors.js';
import { native } from '../tensor/tensor.js';

/** The algorithms that a table compares, in the order of `kTunedAlgorithms` in cpp/ops/dynamic_conv/tuning.h. */
export const TUNED_ALGORITHMS = Object.freeze(['mix-once', 'fused-cuda', 'mix-cuda', 'mix-after'] as const);

/** The dtypes of a table, in the order of `Element` in cpp/kernels/cuda/kernels.h. */
const DTYPES = ['float32', 'bfloat16', 'float16'] as const;

/** The GPU of a {@link CudaTuning}, and with what it was measured. */
export interface CudaTuningAbout {
  /** As `cuda.deviceProperties` names it, such as `NVIDIA H200`. */
  gpu: string;
  /** Compute capability, such as `9.0`. */
  capability: string;
  /** Version of the driver. */
  driver: string;
  /** Version of libtorch. */
  libtorch: string;
  /** Version of this package. */
  dyconv: string;
}

/** How the kernels of `mix-cuda` divide their work. Other values change the order of sums, and so the rounding. */
export interface CudaTuningSplits {
  /** Blocks of a forward launch for one sample, at most; 1 to 2^31 - 1. Without a table: 1024. */
  mixForwardBlocks: number;
  /** Pixels that a warp takes at least in the backward pass of contiguous images, of up to 16 planes; 1 to 2^31 - 1. Without a table: 512. */
  mixBackwardPixels: number;
}

/** Sizes of a measured problem. Images, kernel and stride are square, dilation is 1, padding is half of the kernel. */
export interface CudaTuningProblem {
  /** Images. */
  batch: number;
  /** Input channels. */
  in: number;
  /** Output channels. */
  out: number;
  /** Height and width of the image. */
  size: number;
  /** Height and width of the kernels. */
  kernel: number;
  /** Step between windows, in pixels. */
  stride: number;
  /** Groups of channels. */
  groups: number;
  /** Kernels of the layer, K. */
  experts: number;
}

/** A measured problem. */
export interface CudaTuningRow {
  /** Dtype of images and weights. float32 was measured with TF32 as libtorch allows it. */
  dtype: 'float32' | 'bfloat16' | 'float16';
  /** The measured problem. */
  problem: CudaTuningProblem;
  /** The algorithm that `'auto'` chose without a table; for reports. */
  auto?: string | undefined;
  /** Milliseconds by algorithm: of an inference, and of a training step (forward and all gradients). At least one algorithm. */
  ms: { [Name in (typeof TUNED_ALGORITHMS)[number]]?: { infer: number; train: number } | undefined };
}

/** The measurements of one GPU: what `gpu-check` writes as `cuda-tuning.json`. */
export interface CudaTuning {
  /** Version of the format. */
  format: 1;
  /** The GPU and the releases. */
  about: CudaTuningAbout;
  /** How work is divided on this GPU; default: as without a table. */
  splits?: CudaTuningSplits | undefined;
  /** The measured problems, in any order. */
  rows: readonly CudaTuningRow[];
}

const MOST_SPLIT = 2 ** 31 - 1;
const DEFAULT_SPLITS: CudaTuningSplits = { mixForwardBlocks: 1024, mixBackwardPixels: 512 };

const milliseconds = v.custom<number>(
  (value) => typeof value === 'number' && Number.isFinite(value) && value > 0,
  'a positive number',
);
const times = v.optional(object('an object', { infer: milliseconds, train: milliseconds }));
const count = integer(1);

const ROW = v.pipe(
  object<CudaTuningRow>('a row', {
    dtype: v.picklist(DTYPES),
    problem: object<CudaTuningProblem>('an object', {
      ...{ batch: count, in: count, out: count, size: count },
      ...{ kernel: count, stride: count, groups: count, experts: count },
    }),
    auto: v.optional(v.string()),
    ms: object<CudaTuningRow['ms']>('an object', {
      'mix-once': times,
      'fused-cuda': times,
      'mix-cuda': times,
      'mix-after': times,
    }),
  }),
  fitting(({ ms }) => {
    const names = Object.keys(ms);
    const unknown = names.find((name) => !TUNED_ALGORITHMS.includes(name as never));
    const expected = `times of ${TUNED_ALGORITHMS.join(', ')}`;
    if (unknown !== undefined) return { path: ['ms', unknown], expected: `${expected} only` };
    return names.length === 0 ? { path: ['ms'], expected: `${expected}: at least one` } : undefined;
  }),
);

const TABLE: Schema<CudaTuning> = object<CudaTuning>('a table', {
  format: v.custom<1>((value) => value === 1, '1'),
  about: object<CudaTuningAbout>('an object', {
    ...{ gpu: v.string(), capability: v.string(), driver: v.string() },
    ...{ libtorch: v.string(), dyconv: v.string() },
  }),
  splits: v.optional(
    object<CudaTuningSplits>('an object', {
      mixForwardBlocks: integer(1, MOST_SPLIT),
      mixBackwardPixels: integer(1, MOST_SPLIT),
    }),
  ),
  rows: v.array(ROW) as Schema<CudaTuning['rows']>,
});

/**
 * Checks a table.
 * @param name - For the message.
 * @throws {ArgumentError} `Expected <what> for <name>.<field> but received <value>`.
 */
export function checkCudaTuning(table: unknown, name: string): CudaTuning {
  return parseArgument(TABLE, table, name);
}

/** Sets the tables of the process, in place of those before. @throws {ArgumentError} that names the field. */
export function setCudaTuning(tables: Iterable<CudaTuning>): void {
  const list = checkIterable(tables, 'tables', 'an array of tables');
  hand(list.map((table, i) => checkCudaTuning(table, `tables[${i}]`)));
}

function hand(tables: readonly CudaTuning[]): void {
  const rows = tables.flatMap((table) => table.rows);
  native.setCudaTuning(
    tables.map(({ about }) => about.gpu),
    tables.map(({ about }) => about.capability),
    tables.flatMap(({ splits }) => {
      const { mixForwardBlocks, mixBackwardPixels } = splits ?? DEFAULT_SPLITS;
      return [mixForwardBlocks, mixBackwardPixels];
    }),
    tables.map((table) => table.rows.length),
    rows.flatMap(({ dtype, problem }) => {
      const { batch, in: channels, out, size, kernel, stride, groups, experts } = problem;
      return [DTYPES.indexOf(dtype), batch, channels, out, size, kernel, stride, groups, experts];
    }),
    rows.flatMap(({ ms }) =>
      TUNED_ALGORITHMS.flatMap((name) => {
        const { infer, train } = ms[name] ?? {
          infer: Number.POSITIVE_INFINITY,
          train: Number.POSITIVE_INFINITY,
        };
        return [infer, train];
      }),
    ),
  );
}

/** The tables that were reviewed and are part of the package. */
export const REVIEWED_TABLES = fileURLToPath(new URL('../../data/cuda-tuning/', import.meta.url));

/** The tables of a file, or of all `.json` files of a folder by name. @throws {ArgumentError} naming the file and the field. */
export function readCudaTunings(path: string): CudaTuning[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(path, name))
    : [path];
  return files.map((file) => {
    try {
      return checkCudaTuning(JSON.parse(readFileSync(file, 'utf8')), 'table');
    } catch (cause) {
      throw new ArgumentError(`${file}: ${(cause as Error).message}`, { cause });
    }
  });
}

/**
 * Sets the tables of the environment: `DYCONV_CUDA_TUNING` is a file, a folder, or `off` for none; without it, those of the package,
 * if the add-on has kernels for GPUs. Does nothing if this process has set tables before: worker threads share them.
 * @throws {ArgumentError} naming the variable, if what it names cannot be read or is no table.
 */
export function loadCudaTuning(env: NodeJS.ProcessEnv = process.env, reviewed = REVIEWED_TABLES): void {
  const wanted = env.DYCONV_CUDA_TUNING;
  if (native.cudaTuningIsSet() || (!wanted && !native.cudaKernels())) return;
  if (!wanted) {
    // A folder that a bundler has left out is no reason to fail.
    hand(existsSync(reviewed) ? readCudaTunings(reviewed) : []);
    return;
  }
  try {
    hand(wanted === 'off' ? [] : readCudaTunings(wanted));
  } catch (cause) {
    throw new ArgumentError(`DYCONV_CUDA_TUNING: ${(cause as Error).message}`, { cause });
  }
}
