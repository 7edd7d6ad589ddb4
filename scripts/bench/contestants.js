/**
 * What the layer and model benchmarks time: one inference and one training step each.
 * @module
 */
import {
  autocast,
  cuda,
  dynamicConv2d,
  functional as F,
  manualSeed,
  models,
  nn,
  noGrad,
  optim,
  randint,
  randn,
  randnLike,
  tidy,
  train,
} from '../../dist/index.js';

/** @typedef {import('./turns.js').Contestant} Contestant */

// Steps queued on a GPU before it is waited for, as in a training that reads its loss now and then.
const QUEUED = 20;

/**
 * What turns.js times: on a GPU the mean of some steps, waited for once.
 * @param {string} device @param {() => void} step
 */
function onDevice(device, step) {
  if (!device.startsWith('cuda')) return step;
  return () => {
    cuda.synchronize(/** @type {import('../../dist/index.js').Device} */ (device));
    const start = performance.now();
    for (let i = 0; i < QUEUED; i++) step();
    cuda.synchronize(/** @type {import('../../dist/index.js').Device} */ (device));
    return (performance.now() - start) / QUEUED;
  };
}

/**
 * The static convolution as libtorch computes it and as nn.Conv2d does, and the dynamic one by every algorithm, of one
 * shape. A training step is forward and backward
 * of all gradients, the input's included; the dynamic layers include their routing.
 * @param {{ batch: number, in: number, out: number, size: number, kernel: number, stride: number, groups: number,
 *   experts: number, dtype: import('../../dist/index.js').DType, device: import('../../dist/index.js').Device }} options
 * @returns {Record<string, () => Contestant>}
 */
export function layers(options) {
  const { batch, size, kernel, stride, groups, experts, dtype, device } = options;
  const conv = { stride, padding: kernel >> 1, groups, dtype, device };
  /** @param {() => import('../../dist/index.js').nn.Module} make */
  const contestant = (make) => () => {
    manualSeed(0);
    const layer = make();
    const x = randn([batch, options.in, size, size], { device }).to({ dtype }).detach().requiresGrad_();
    const gradient = tidy(() => randnLike(noGrad(() => layer.forward(x))));
    return {
      infer: onDevice(device, () => tidy(() => noGrad(() => void layer.eval().forward(x)))),
      train: onDevice(device, () =>
        tidy(() => {
          layer.train().zeroGrad();
          x.grad = null;
          layer.forward(x).backward(gradient);
        }),
      ),
    };
  };
  const dynamic = (
    /** @type {import('../../dist/ops/dynamic-conv.js').DynamicConv2dAlgorithm} */ algorithm,
  ) => new nn.DynamicConv2d(options.in, options.out, kernel, { ...conv, numExperts: experts, algorithm });
  return {
    static: contestant(
      () => new nn.Conv2d(options.in, options.out, kernel, { ...conv, algorithm: 'libtorch' }),
    ),
    'nn.Conv2d': contestant(() => new nn.Conv2d(options.in, options.out, kernel, conv)),
    auto: contestant(() => dynamic('auto')),
    ...Object.fromEntries(algorithmsFor(device).map((name) => [name, contestant(() => dynamic(name))])),
  };
}

/** The algorithms to compare: on a GPU those that compute there. @param {string} device */
function algorithmsFor(device) {
  const all = dynamicConv2d.algorithms();
  if (!device.startsWith('cuda')) return all;
  return all.filter((name) => name.endsWith('-cuda') || name === 'mix-after' || name === 'grouped');
}

/** How a network takes part: its training step captured as a graph, mixed precision, channels last. @typedef {{ captured?: boolean, amp?: boolean, channelsLast?: boolean }} How */

/** What every network of float32 takes part as on a GPU, by the end of its name. @type {Readonly<Record<string, How>>} */
const ON_GPU = {
  '': {},
  ':graph': { captured: true },
  ':amp': { amp: true },
  ':amp:graph': { captured: true, amp: true },
  ':amp:channels-last:graph': { captured: true, amp: true, channelsLast: true },
};

/**
 * Whole models on random images, in each dtype. A training step is that of the article: label smoothing,
 * backward, SGD. On a GPU each also takes part with its training step captured as a graph and, in float32, with mixed precision
 * (bfloat16) and with images in channels last.
 * @param {{ models: string[], batch: number, imageSize: number, experts: number, dtypes: import('../../dist/index.js').DType[],
 *   device: import('../../dist/index.js').Device }} options
 * @returns {Record<string, () => Contestant>}
 */
export function networks({ models: names, dtypes, ...options }) {
  const onGpu = options.device.startsWith('cuda');
  const makers = dtypes.flatMap((dtype) =>
    names.flatMap((name) => {
      const label = dtype === 'float32' ? name : `${name}:${dtype}`;
      return Object.entries(onGpu ? ON_GPU : { '': {} })
        .filter(([, { amp }]) => !amp || dtype === 'float32')
        .map(([end, how]) => [`${label}${end}`, () => network(name, { ...options, dtype }, how)]);
    }),
  );
  return Object.fromEntries(makers);
}

/** Whether a model has dynamic convolutions. @param {string} name */
const isDynamic = (name) => /[-_]dy$/.test(name);

/**
 * @param {string} name
 * @param {{ batch: number, imageSize: number, experts: number, dtype: import('../../dist/index.js').DType,
 *   device: import('../../dist/index.js').Device }} options
 * @param {How} how
 * @returns {Contestant}
 */
function network(
  name,
  { batch, imageSize, experts, dtype, device },
  { captured = false, amp = false, channelsLast = false },
) {
  manualSeed(0);
  const model = models.create(name, isDynamic(name) ? { numExperts: experts } : {}).to({ device, dtype });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, weightDecay: 1e-5 });
  const contiguous = randn([batch, 3, imageSize, imageSize], { device }).to({ dtype });
  const images = channelsLast ? contiguous.contiguous({ memoryFormat: 'channelsLast' }) : contiguous;
  const labels = randint(0, 10, [batch], { device });
  const forward = () => autocast(() => model.forward(images), { dtype: amp ? 'bfloat16' : null });
  /** @type {train.Loss} */
  const loss = (logits, target) => F.crossEntropy(logits, target, { labelSmoothing: 0.1 });
  const step = captured
    ? new train.CapturedStep({ model, optimizer, loss, autocast: amp ? 'bfloat16' : undefined })
    : undefined;
  return {
    infer: onDevice(device, () => {
      model.eval();
      tidy(() => noGrad(() => void forward()));
    }),
    train: onDevice(device, () =>
      tidy(() => {
        model.train();
        if (step) {
          step.run({ images, labels });
          return;
        }
        optimizer.zeroGrad();
        loss(forward(), labels).backward();
        optimizer.step();
      }),
    ),
  };
}
