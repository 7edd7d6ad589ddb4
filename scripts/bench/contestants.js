/**
 * What the layer and model benchmarks time: one inference and one training step each.
 * @module
 */
import {
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
} from '../../dist/index.js';

/** @typedef {import('./turns.js').Contestant} Contestant */

/**
 * The static convolution and the dynamic one by every algorithm, of one shape. A training step is forward and backward
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
      infer: () => tidy(() => noGrad(() => void layer.eval().forward(x))),
      train: () =>
        tidy(() => {
          layer.train().zeroGrad();
          x.grad = null;
          layer.forward(x).backward(gradient);
        }),
    };
  };
  const dynamic = (/** @type {string} */ algorithm) =>
    new nn.DynamicConv2d(options.in, options.out, kernel, { ...conv, numExperts: experts, algorithm });
  return {
    static: contestant(() => new nn.Conv2d(options.in, options.out, kernel, conv)),
    auto: contestant(() => dynamic('auto')),
    ...Object.fromEntries(dynamicConv2d.algorithms().map((name) => [name, contestant(() => dynamic(name))])),
  };
}

/**
 * Whole models on random 128x128 images. A training step is that of the article: label smoothing, backward, SGD.
 * @param {{ models: string[], batch: number, experts: number, device: import('../../dist/index.js').Device }} options
 * @returns {Record<string, () => Contestant>}
 */
export function networks({ models: names, batch, experts, device }) {
  return Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        manualSeed(0);
        const model = models.create(name, { numExperts: experts }).to({ device });
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, weightDecay: 1e-5 });
        const images = randn([batch, 3, 128, 128], { device });
        const labels = randint(0, 10, [batch], { device });
        return {
          infer: () => tidy(() => noGrad(() => void model.eval().forward(images))),
          train: () =>
            tidy(() => {
              model.train();
              optimizer.zeroGrad();
              F.crossEntropy(model.forward(images), labels, { labelSmoothing: 0.1 }).backward();
              optimizer.step();
            }),
        };
      },
    ]),
  );
}
