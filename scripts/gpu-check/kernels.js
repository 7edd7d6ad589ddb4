/**
 * Runs every CUDA kernel of this package and compares the results with float64 on the CPU.
 *
 *   node scripts/gpu-check/kernels.js            the sizes of AlexNet-DY, and odd ones
 *   node scripts/gpu-check/kernels.js --once     small problems for every form of each kernel: for compute-sanitizer
 *   node scripts/gpu-check/kernels.js --cpu      the algorithms of the CPU, to test this program without a GPU
 *
 * Prints a JSON line for each kernel and dtype with the largest deviation. Exit code 1 if one is larger than allowed.
 * @module
 */
import { augmentBatch, augmentOnDevice, batchPlan } from '../../dist/data/batches.js';
import { train } from '../../dist/data/transforms.js';
import {
  autograd,
  cuda,
  dynamicConv2d,
  functional as F,
  manualSeed,
  randn,
  tensor,
  tidy,
} from '../../dist/index.js';
import { deviation, requireKernels, resultsOf } from './problems.js';
import { ONCE, PLAIN } from './sizes.js';

/** @import { Device, DType, Tensor } from '../../dist/index.js' */
/** @import { Problem } from './sizes.js' */

const words = process.argv.slice(2);
const unknown = words.find((word) => !['--once', '--cpu'].includes(word));
if (unknown !== undefined) throw new Error(`Expected --once or --cpu but received ${unknown}`);
const once = words.includes('--once');
/** @type {Device} */
const device = words.includes('--cpu') ? 'cpu' : 'cuda';
if (device === 'cuda') requireKernels();

/** Allowed deviations. Sums are float32 for all dtypes of the images. @type {Record<string, number>} */
const ALLOWED = { float32: 2e-5, tf32: 2e-3, bfloat16: 2e-2, float16: 4e-3 };
const DTYPES = /** @type {const} */ (['float32', 'bfloat16', 'float16']);

/** Sizes that end within the tiles of the kernels, then AlexNet-DY's layers. @type {Problem[]} */
const PROBLEMS = once
  ? ONCE
  : [
      ...ONCE,
      { ...PLAIN, batch: 1, experts: 12 },
      { ...PLAIN, groups: 4, out: 20, stride: 2, size: 9 },
      { ...PLAIN, kernel: 1, in: 65, out: 70, experts: 16 },
      ...[2, 12].flatMap((experts) =>
        [
          [128, 192],
          [192, 128],
        ].map(([channels = 0, out = 0]) => ({ ...PLAIN, batch: 128, in: channels, out, experts })),
      ),
    ];

/** The largest deviation of every kernel and dtype. @type {Map<string, { kernel: string, dtype: string, worst: number, allowed: number, cases: number }>} */
const found = new Map();

/** @param {string} kernel @param {string} dtype @param {readonly Tensor[]} received @param {readonly Tensor[]} expected */
function compare(kernel, dtype, received, expected) {
  const key = `${kernel} ${dtype}`;
  const own = found.get(key) ?? { kernel, dtype, worst: 0, allowed: ALLOWED[dtype] ?? 0, cases: 0 };
  for (const [i, one] of expected.entries()) {
    const value = deviation(/** @type {Tensor} */ (received[i]), one);
    // Math.max keeps NaN.
    own.worst = Math.max(own.worst, value);
    own.cases += 1;
  }
  found.set(key, own);
}

function dynamicConvolutions() {
  const own = dynamicConv2d
    .algorithms()
    .filter((name) => (device === 'cpu' ? name === 'mix-after' : name.endsWith('-cuda')));
  for (const dtype of DTYPES) {
    for (const problem of PROBLEMS) {
      tidy(() => {
        const exact = resultsOf(problem, { device: 'cpu', dtype: 'float64', rounded: dtype }, 'mix-after');
        for (const algorithm of own) {
          for (const channelsLast of [false, true]) {
            const place = { device, dtype, rounded: dtype, channelsLast };
            compare(algorithm, dtype, resultsOf(problem, place, algorithm), exact);
            if (dtype !== 'float32' || device === 'cpu') continue;
            cuda.setFlags({ convTf32: true });
            compare(algorithm, 'tf32', resultsOf(problem, place, algorithm), exact);
            cuda.setFlags({ convTf32: false });
          }
        }
      });
    }
  }
}

/** @param {Device} where @param {DType} dtype @param {DType} rounded @param {'softmax' | 'sigmoid'} kind @param {boolean} channelsLast */
function routed(where, dtype, rounded, kind, channelsLast) {
  manualSeed(4);
  const weights = dtype === 'float64' ? dtype : 'float32';
  /** @param {number[]} shape @param {DType} type */
  const leaf = (shape, type) =>
    randn(shape, { dtype: 'float64' }).to({ dtype: rounded }).to({ device: where, dtype: type }).detach();
  const images = leaf([5, 40, 7, 7], dtype);
  const input = channelsLast ? images.contiguous({ memoryFormat: 'channelsLast' }) : images;
  /** @type {[Tensor, Tensor, Tensor, Tensor, Tensor]} */
  const inputs = [
    input,
    leaf([10, 40, 1, 1], weights),
    leaf([10], weights),
    leaf([4, 10, 1, 1], weights),
    leaf([4], weights),
  ];
  for (const one of inputs) one.requiresGrad_();
  const attention = F.routing(...inputs, { temperature: tensor(2, { device: where }), kind });
  const gradOutputs = leaf([5, 4], /** @type {DType} */ (attention.dtype));
  return [attention.detach(), .../** @type {Tensor[]} */ (autograd.grad(attention, inputs, { gradOutputs }))];
}

function routings() {
  for (const dtype of DTYPES) {
    // A test of this program, which needs one dtype.
    if (device === 'cpu' && dtype !== 'float32') continue;
    for (const kind of /** @type {const} */ (['softmax', 'sigmoid'])) {
      tidy(() => {
        const exact = routed('cpu', 'float64', dtype, kind, false);
        for (const channelsLast of [false, true])
          compare('routing', dtype, routed(device, dtype, dtype, kind, channelsLast), exact);
      });
    }
  }
}

async function augmentations() {
  /** @type {[number, number, number]} */
  const shape = [3, 20, 16];
  const images = Uint8Array.from({ length: 9 * 3 * 20 * 16 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24);
  const set = tensor(images, { shape: [9, ...shape], dtype: 'uint8', device });
  const request = { seed: 5, epoch: 2 };
  const transform = train({ resize: 34, size: 32 });
  const indices = [4, 0, 8, 3, 4];
  const exact = await augmentBatch({ images, shape }, indices, batchPlan(transform, shape), {
    ...request,
    threads: 1,
  });
  for (const dtype of DTYPES.filter((name) => name !== 'float16')) {
    for (const memoryFormat of /** @type {const} */ (['contiguous', 'channelsLast'])) {
      const plan = batchPlan(transform, shape, { dtype, memoryFormat });
      compare('augment', dtype, [await augmentOnDevice(set, indices, plan, request)], [exact]);
    }
  }
}

if (device === 'cuda') cuda.setFlags({ convTf32: false, matmulTf32: false });
routings();
dynamicConvolutions();
await augmentations();
for (const one of found.values()) console.log(JSON.stringify(one));
const wrong = [...found.values()].filter(({ worst, allowed }) => !(worst <= allowed));
if (wrong.length > 0) process.exitCode = 1;
