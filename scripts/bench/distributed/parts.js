/**
 * The parts of a training step in a group whose processor time `bench.js distributed --cost` measures, in one process of the group.
 * @module
 */
import { distributed, functional as F, models, nn, optim, tidy, zeros } from '../../../dist/index.js';

/** @import { models as Models, Tensor } from '../../../dist/index.js' */
/** @typedef {InstanceType<typeof distributed.ProcessGroup>} ProcessGroup */
/** @typedef {() => unknown} Work - One repetition. */
/**
 * @typedef {object} Setting
 * @property {string} model
 * @property {ProcessGroup} group
 * @property {Tensor} images
 * @property {Tensor} labels
 */

/** @param {Setting} setting */
function create({ model }) {
  return models.create(/** @type {Models.ModelName} */ (model), { numClasses: 10 });
}

/**
 * A training step, by itself or with gradients that are averaged.
 * @param {Setting} setting
 * @param {import('../../../dist/index.js').distributed.DistributedDataParallelOptions} [options]
 * @param {boolean} [isNormShared] - Whether batch norms are those of all processes.
 * @returns {Work}
 */
function step(setting, options, isNormShared = options !== undefined) {
  const { group, images, labels } = setting;
  const network = create(setting);
  if (isNormShared) nn.SyncBatchNorm.convert(network);
  const forward = options ? new distributed.DistributedDataParallel(network, { group, ...options }) : network;
  const optimizer = new optim.SGD(network.parameters(), { lr: 0.01, momentum: 0.9 });
  return () =>
    tidy(() => {
      optimizer.zeroGrad();
      F.crossEntropy(forward.forward(images), labels).backward();
      optimizer.step();
    });
}

/** As many zeros as the network has gradients. @param {Setting} setting @param {'float32' | 'bfloat16'} [dtype] */
function gradients(setting, dtype = 'float32') {
  const lengths = [...create(setting).parameters()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  return zeros([lengths.reduce((a, b) => a + b, 0)], { dtype });
}

/** @type {Record<string, (setting: Setting) => Work>} */
const PARTS = {
  'step without exchange': (setting) => step(setting),
  'step, SyncBatchNorm alone': (setting) => step(setting, undefined, true),
  'step in a group': (setting) => step(setting, {}),
  'step, gradientAsBucketView': (setting) => step(setting, { gradientAsBucketView: true }),
  'step, bf16-compress': (setting) => step(setting, { commHook: 'bf16-compress' }),
  'all-reduce of the gradients': (setting) => {
    const values = gradients(setting);
    return () => setting.group.allReduce(values);
  },
  'the same in bfloat16': (setting) => {
    const values = gradients(setting, 'bfloat16');
    return () => setting.group.allReduce(values);
  },
  'copies to and from buckets': (setting) => {
    const [values, bucket] = [gradients(setting), gradients(setting)];
    return () => {
      bucket.copy_(values);
      values.copy_(bucket);
    };
  },
  'conversion to bfloat16 and back': (setting) => {
    const values = gradients(setting);
    return () => tidy(() => void values.copy_(values.div(2).to({ dtype: 'bfloat16' })));
  },
  'all-reduce of one number': (setting) => {
    const values = zeros([1]);
    return () => setting.group.allReduce(values);
  },
};

export const PART_NAMES = Object.keys(PARTS);

/** A part by its index in {@link PART_NAMES}. @param {number} index @param {Setting} setting @returns {Work} */
export function makePart(index, setting) {
  const make = Object.values(PARTS)[index];
  if (!make) throw new Error(`Expected the index of a part but received ${index}`);
  return make(setting);
}
