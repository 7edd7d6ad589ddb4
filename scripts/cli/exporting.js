/**
 * Writes the network of a run as a file for other programs, and checks the file on test images.
 * @module
 */
import { statSync } from 'node:fs';
import { normalizationOf, sizeBeforeCrop } from '../../dist/data/preprocessing.js';
import {
  CheckpointError,
  exportOnnx,
  exportTorchScript,
  loadProgram,
  loadSafetensors,
  loadTorchScript,
  models,
  nn,
  noGrad,
  saveSafetensors,
  serve,
  tensor,
  tidy,
  zeros,
} from '../../dist/index.js';
import { feedOf, findOnnxruntime } from './onnxruntime.js';
import { loadTestSet, loadTrainingSet } from './run-images.js';
import { chooseImages } from './split.js';
import { testLoader } from './training.js';

/** @import { Tensor } from '../../dist/index.js' */
/** @import { ImageDataset } from '../../dist/data/dataset.js' */
/** @import { RunConfig } from '../../dist/train/index.js' */
/** @import { ExportOptions } from '../commands/export.js' */

/**
 * What was written. `details`: a line each, for people; `calibrationImages`: the number that int8 found its ranges with.
 * @typedef {{ file: string, bytes: number, seconds: number, details: string[], calibrationImages?: number }} Written
 *
 * What a format says of its file. `bytes`: default, the size of the file.
 * @typedef {Pick<Written, 'details' | 'calibrationImages'> & { bytes?: number }} Result
 *
 * A network that was read from the file: logits [B, classes] of images. `by`: what computes it.
 * @typedef {{ by: string, logits: (images: Tensor) => Promise<Tensor>, close: () => unknown }} Loaded
 *
 * The result of the check. `same`: images with the same class by the file and by the run; `difference`: the largest of a logit,
 * relative to the largest logit.
 * @typedef {{ by: string, images: number, accuracy: number, runAccuracy: number, same: number, difference: number }} Check
 */

/** Share of the images that must have the same class: rounding may give one another. */
const LEAST_SAME = { float32: 0.99, float16: 0.99, int8: 0.95 };

/** @param {Check} check @param {ExportOptions['precision']} precision */
export const isGood = ({ same, images }, precision) => same >= LEAST_SAME[precision] * images;

/**
 * The number of images that were used, and the one that was asked for if the set has fewer.
 * @param {number} used @param {number} asked @param {'training' | 'test'} split
 */
export const usedImages = (used, asked, split) =>
  used < asked ? `all ${used} ${split} images instead of ${asked}` : `${used} ${split} images`;

/**
 * @param {ExportOptions} options
 * @returns {Promise<{ config: RunConfig, written: Written, check: Check | string }>} A text says why there was no check.
 * @throws {CheckpointError} if the file cannot be written.
 */
export async function exportRun(options) {
  const classifier = await serve.loadClassifier(options.run, { checkpoint: options.checkpoint });
  const { model, config } = classifier;
  try {
    const start = performance.now();
    const result = await FORMATS[options.format].write(model, config, options);
    const seconds = (performance.now() - start) / 1000;
    const bytes = statSync(options.out, { throwIfNoEntry: false })?.size ?? 0;
    const written = { file: options.out, bytes, seconds, ...result };
    return { config, written, check: await checked(model, config, options) };
  } finally {
    classifier.dispose();
  }
}

/** @type {Record<ExportOptions['format'], { write: (model: nn.Module, config: RunConfig, options: ExportOptions) => Promise<Result>, load: (config: RunConfig, options: ExportOptions) => Promise<Loaded | string> }>} */
const FORMATS = {
  onnx: { write: writeOnnx, load: loadOnnx },
  program: { write: writeProgram, load: loadCompiled },
  torchscript: { write: writeTorchScript, load: loadScript },
  safetensors: { write: writeSafetensors, load: loadWeights },
};

/** @param {RunConfig} config */
const exampleOf = ({ imageShape, imageSize }) => zeros([1, imageShape[0] ?? 3, imageSize, imageSize]);

/** @param {nn.Module} model @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Result>} */
async function writeOnnx(model, config, options) {
  const { out, opset, precision, dynamicSize, attention, percentile } = options;
  const images = precision === 'int8' ? await calibrationSet(config, options) : undefined;
  const { inputs, outputs, nodes, quantized, bytes } = await exportOnnx(model, exampleOf(config), out, {
    ...{ opset, precision, dynamicSize, attention },
    ...{ inputNames: ['image'], outputNames: ['logits'], metadata: metadataOf(config) },
    ...(images && { calibration: images.loader, percentile }),
  });
  const ends = [inputs, outputs].map((values) =>
    values.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', '),
  );
  const nodesLine = `opset ${opset}, ${nodes} nodes: ${ends.join(' -> ')}`;
  if (!images) return { details: [nodesLine], bytes };
  const { calibrationImages, text } = images;
  return { details: [nodesLine, `int8, with ${text}: ${quantized.join(', ')}`], bytes, calibrationImages };
}

/** Some training images, prepared like test images. The seed of the run chooses them. @param {RunConfig} config @param {ExportOptions} options */
async function calibrationSet(config, options) {
  const set = await loadTrainingSet(config, sourceOf(options));
  const chosen = chooseImages(set, { count: options.calibration, seed: config.seed });
  return {
    calibrationImages: chosen.length,
    text: usedImages(chosen.length, options.calibration, 'training'),
    loader: testLoader({ ...plainConfig(config), limitTest: null }, chosen),
  };
}

/** @param {nn.Module} model @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Result>} */
async function writeProgram(model, config, options) {
  const compiled = nn.compile(/** @type {nn.Module<[Tensor], Tensor>} */ (model), exampleOf(config));
  const images = options.precision === 'int8' ? await calibrationSet(config, options) : undefined;
  const program = images
    ? await compiled.quantize({ calibration: images.loader, percentile: options.percentile })
    : compiled;
  await program.save(options.out, { metadata: metadataOf(config) });
  const line = `a program in ${program.settings.dtype}`;
  if (!images) return { details: [line] };
  const { calibrationImages, text } = images;
  return { details: [`${line}, with ${text}`], calibrationImages };
}

/** @param {nn.Module} model @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Result>} */
async function writeTorchScript(model, config, { out, dynamicSize, attention }) {
  const { inputs, tensors } = await exportTorchScript(model, exampleOf(config), out, {
    ...{ dynamicSize, attention, inputNames: ['image'], metadata: metadataOf(config) },
  });
  const result = attention ? '(logits, attention)' : 'logits';
  return { details: [`forward(${inputs.join(', ')}) -> ${result}, ${tensors} tensors`] };
}

/** What a program needs to prepare images and to name classes, each as JSON. @param {RunConfig} config */
function metadataOf(config) {
  const { model, classes, imageShape, imageSize, preset } = config;
  const resize = preset === 'imagenet' ? sizeBeforeCrop(config) : imageSize;
  const values = { model, classes, image_shape: imageShape, resize, ...normalizationOf(config) };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
}

/** @param {nn.Module} model @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Result>} */
async function writeSafetensors(model, config, { out }) {
  const state = model.stateDict();
  await saveSafetensors(out, state, { metadata: { ...metadataOf(config), format: 'pt' } });
  return { details: [`${Object.keys(state).length} tensors`] };
}

/** @param {RunConfig} _ @param {ExportOptions} options @returns {Promise<Loaded | string>} */
async function loadOnnx(_, { out, onnxruntime }) {
  const ort = findOnnxruntime(onnxruntime);
  if (!ort)
    return 'onnxruntime-node is not installed: npm install onnxruntime-node, or name its folder by --onnxruntime';
  const session = await ort.InferenceSession.create(out);
  return {
    by: `onnxruntime ${ort.env.versions.node ?? ''}`.trim(),
    async logits(images) {
      const { logits } = await session.run({ image: feedOf(ort, images) });
      if (!logits) throw new CheckpointError(`Expected the output logits in ${out} but there is none`);
      return tensor(logits.data, { dtype: 'float32' }).reshape([...logits.dims]);
    },
    close: () => session.release(),
  };
}

/** @param {RunConfig} _ @param {ExportOptions} options @returns {Promise<Loaded>} */
async function loadCompiled(_, { out }) {
  const program = await loadProgram(out);
  return { by: 'loadProgram', logits: (images) => program.run(images), close: () => program.dispose() };
}

/** @param {RunConfig} _ @param {ExportOptions} options @returns {Promise<Loaded>} */
async function loadScript(_, { out }) {
  /** @type {import('../../dist/index.js').TorchScriptProgram<Tensor | [Tensor, Record<string, Tensor>]>} */
  const program = await loadTorchScript(out);
  return {
    by: "libtorch's TorchScript interpreter",
    async logits(images) {
      const output = await program.run(images);
      if (!Array.isArray(output)) return output;
      const [logits, attentions] = output;
      for (const one of Object.values(attentions)) one.dispose();
      return logits;
    },
    close: () => program.dispose(),
  };
}

/** @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Loaded>} */
async function loadWeights(config, { out }) {
  const model = models.create(config.model, config.modelOptions).eval();
  const state = await loadSafetensors(out);
  model.loadStateDict(state);
  for (const one of Object.values(state)) one.dispose();
  return {
    by: 'loading it again',
    logits: async (images) => noGrad(() => model.forward(images)),
    close() {},
  };
}

/** @param {nn.Module} model @param {RunConfig} config @param {ExportOptions} options @returns {Promise<Check | string>} */
async function checked(model, config, options) {
  if (!options.check) return '--no-check';
  const loaded = await FORMATS[options.format].load(config, options);
  if (typeof loaded === 'string') return loaded;
  try {
    const set = await loadTestSet(config, sourceOf(options));
    return { by: loaded.by, ...(await compare(model, loaded, loaderOf(config, set, options))) };
  } finally {
    await loaded.close();
  }
}

/** Where the images of the data set come from. @param {ExportOptions} options */
function sourceOf({ dataDir, download, dataMirror, verify, skipUnreadable }) {
  return {
    ...(dataDir !== undefined && { root: dataDir }),
    ...{ download, mirrors: dataMirror, verify },
    unreadable: skipUnreadable ? /** @type {const} */ ('skip') : /** @type {const} */ ('error'),
  };
}

/** Images as float32 on the CPU, regardless of the training. @param {RunConfig} config */
function plainConfig(config) {
  return { ...config, batchDtype: undefined, memoryFormat: undefined, device: /** @type {const} */ ('cpu') };
}

/** @param {RunConfig} config @param {ImageDataset} set @param {ExportOptions} options */
function loaderOf(config, set, { checkImages }) {
  return testLoader({ ...plainConfig(config), limitTest: checkImages }, set);
}

/** @param {nn.Module} model @param {Loaded} loaded @param {ReturnType<typeof loaderOf>} loader */
async function compare(model, loaded, loader) {
  const counts = { images: 0, right: 0, runRight: 0, same: 0 };
  let [largest, difference] = [0, 0];
  for await (const { images, labels } of loader) {
    const found = await loaded.logits(images);
    tidy(() => {
      const expected = noGrad(() => model.forward(images));
      const [classes, runClasses] = [classesOf(found), classesOf(expected)];
      for (const [i, label] of classesIn(labels).entries()) {
        counts.images++;
        counts.right += Number(classes[i] === label);
        counts.runRight += Number(runClasses[i] === label);
        counts.same += Number(classes[i] === runClasses[i]);
      }
      largest = Math.max(largest, Number(expected.abs().max().item()));
      difference = Math.max(difference, Number(expected.sub(found).abs().max().item()));
    });
    found.dispose();
  }
  const { images, right, runRight, same } = counts;
  return {
    ...{ images, accuracy: right / images, runAccuracy: runRight / images, same },
    difference: difference / largest,
  };
}

/** @param {Tensor} classes */
const classesIn = (classes) =>
  Array.from(/** @type {ArrayLike<number | bigint>} */ (classes.dataSync()), Number);

/** @param {Tensor} logits */
const classesOf = (logits) => classesIn(logits.argmax({ dim: 1 }));
