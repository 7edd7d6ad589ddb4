/**
 * The network as an ONNX file, with what the page has to know of it.
 * @module
 */
import { CheckpointError, data, exportOnnx, manualSeed, models, nn, serve, zeros } from 'dyconv';

/** @import { OnnxExport } from 'dyconv' */
/** @import { Metadata } from '../page/model.js' */

/** The classes of CIFAR-10, for the network with random weights. */
const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** @typedef {serve.Classifier['config']} RunConfig */

/**
 * Exports the network of a run directory.
 * @param {string} file @param {string} path The run directory. @param {string} [checkpoint] Default: `best`.
 * @throws CheckpointError for a folder that is no run directory, and for a network that does not take RGB images.
 */
export async function exportRun(file, path, checkpoint) {
  const classifier = await serve.loadClassifier(path, { checkpoint });
  try {
    const { config, model } = classifier;
    if (config.imageShape[0] !== 3)
      throw new CheckpointError(
        `Expected a network for images of 3 channels but ${path} has one for [${config.imageShape.join(', ')}]`,
      );
    return await write(file, model, config.imageSize, metadataOf(config));
  } finally {
    await classifier.close();
  }
}

/** How the run prepared images. @param {RunConfig} config @returns {Metadata} */
function metadataOf({ model, classes, imageShape, imageSize, preset = 'half' }) {
  const { mean, std } = data.transforms.presets[preset];
  // Only this preset resizes to more than the network takes.
  const resize = preset === 'imagenet' ? Math.round((imageSize * 256) / 224) : imageSize;
  return { model, classes, image_shape: imageShape, resize, mean, std };
}

/** Exports AlexNet-DY with random weights, for a first look. @param {string} file */
export async function exportRandom(file) {
  manualSeed(0);
  // A network begins with nearly equal attention, by a high temperature, and sharpens it in training.
  const options = { numClasses: CLASSES.length, numExperts: 4, temperature: 1 };
  const model = models.create('alexnet-dy', options).eval();
  return write(file, model, 128, {
    model: 'alexnet-dy with random weights',
    classes: CLASSES,
    image_shape: [3, 128, 128],
    resize: 128,
    ...data.transforms.presets.half,
  });
}

/**
 * @param {string} file @param {nn.Module} model In evaluation mode. @param {number} size Height and width of its images.
 * @param {Metadata} metadata @returns {Promise<OnnxExport>}
 */
function write(file, model, size, metadata) {
  const attention = [...model.modules()].some((layer) => DYNAMIC.some((type) => layer instanceof type));
  return exportOnnx(model, zeros([1, 3, size, size]), file, {
    inputNames: ['image'],
    outputNames: ['logits'],
    attention,
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, JSON.stringify(value)]),
    ),
  });
}

const DYNAMIC = [nn.DynamicConv2d, nn.CondConv2d, nn.ODConv2d];
