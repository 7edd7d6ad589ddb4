/** onnxruntime, which computes exported networks. `DYCONV_ONNXRUNTIME` names a folder in which onnxruntime-node is installed. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { type DType, type fromTypedArray, noGrad, type Tensor, tidy } from '../../lib/index.js';

interface OrtTensor {
  readonly type: string;
  readonly data: Parameters<typeof fromTypedArray>[0];
  readonly dims: readonly number[];
}

interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

interface Onnxruntime {
  readonly InferenceSession: { create(file: string, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
}

const named = process.env.DYCONV_ONNXRUNTIME;
/** Where onnxruntime-node is looked for. */
export const onnxruntimeFolder = resolve(named || '.');

function load(): Onnxruntime | undefined {
  const require = createRequire(join(onnxruntimeFolder, 'package.json'));
  try {
    return require('onnxruntime-node') as Onnxruntime;
  } catch (error) {
    // A folder that is named has to have it.
    if (named) throw error;
    return undefined;
  }
}

const ort = load();

/** Whether onnxruntime-node is installed. */
export const hasOnnxruntime = ort !== undefined;

/** Type names of onnxruntime that differ from those here. */
const TYPES: Partial<Record<DType, string>> = { float32: 'float32', bool: 'bool', int64: 'int64' };

/** A file that onnxruntime has loaded. @param options - More settings of the session. */
export async function openOnnx(file: string, options: object = {}) {
  if (ort === undefined) throw new Error('onnxruntime-node is not installed');
  const session = await ort.InferenceSession.create(file, {
    ...{ intraOpNumThreads: 1, logSeverityLevel: 3 },
    ...options,
  });
  return {
    /** The outputs of the network, in their order. */
    async run(inputs: readonly Tensor[]): Promise<OrtTensor[]> {
      const feeds = session.inputNames.map((name, i) => {
        const { dtype, shape } = inputs[i]!;
        return [name, new ort.Tensor(TYPES[dtype] ?? dtype, inputs[i]!.dataSync(), shape)] as const;
      });
      const results = await session.run(Object.fromEntries(feeds));
      return session.outputNames.map((name) => results[name]!);
    },
    close: () => session.release(),
  };
}

/**
 * The largest difference of an output from the expected one, relative to its largest element.
 * @throws Error for another shape or type, or where only one of them is a finite number.
 */
export function differenceOf({ type, data, dims }: OrtTensor, expected: Tensor): number {
  if (String(dims) !== String(expected.shape) || type !== expected.dtype)
    throw new Error(`${type} [${dims}] instead of ${expected.dtype} [${expected.shape}]`);
  const numbers = expected.detach().dataSync() as ArrayLike<number | bigint>;
  let [scale, largest] = [0, 0];
  for (let i = 0; i < numbers.length; i++) {
    const [a, b] = [Number((data as ArrayLike<number | bigint>)[i]), Number(numbers[i])];
    if (Object.is(a, b) || a === b) {
      if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
      continue;
    }
    if (!Number.isFinite(a) || !Number.isFinite(b)) throw new Error(`${a} instead of ${b}`);
    scale = Math.max(scale, Math.abs(b));
    largest = Math.max(largest, Math.abs(a - b));
  }
  return largest === 0 ? 0 : largest / scale;
}

/** The tensors in the output of a network, in the order of the outputs of its file. */
export function tensorsIn(output: unknown): Tensor[] {
  if (typeof (output as Tensor).dataSync === 'function') return [output as Tensor];
  return Object.values(output as Record<string, unknown>).flatMap(tensorsIn);
}

/** The largest difference of a file from a network at several inputs. */
export async function compareOnnx(
  file: string,
  forward: (...inputs: Tensor[]) => unknown,
  batches: Iterable<readonly Tensor[]>,
): Promise<number> {
  const session = await openOnnx(file);
  let largest = 0;
  try {
    for (const inputs of batches) {
      const outputs = await session.run(inputs);
      const expected = tensorsIn(noGrad(() => tidy(() => forward(...inputs))));
      if (expected.length !== outputs.length)
        throw new Error(`${outputs.length} outputs instead of ${expected.length}`);
      for (const [i, tensor] of expected.entries())
        largest = Math.max(largest, differenceOf(outputs[i]!, tensor));
    }
    return largest;
  } finally {
    await session.close();
  }
}
