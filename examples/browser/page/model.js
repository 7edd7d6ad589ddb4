/**
 * The ONNX file in the browser: its network, and what it says about images and classes.
 * @module
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';

// Threads need headers (COOP, COEP) that most servers of static files do not send.
env.wasm.numThreads = 1;
env.wasm.wasmPaths = { wasm: new URL(wasm, import.meta.url).href };

/** Fields of `ModelProto` and of `StringStringEntryProto` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
const METADATA_PROPS = 14;
const KEY = 1;

/**
 * What the file says, each as JSON under its key.
 * @typedef {object} Metadata
 * @property {string} model Name of the network.
 * @property {readonly string[]} classes Names of the classes.
 * @property {readonly number[]} image_shape [3, H, W] of the training images: an image is scaled to cover it and cropped at its center.
 * @property {number} resize Height and width to which that is then resized, of which the network takes the center.
 * @property {readonly number[]} mean Of each channel, or one for all.
 * @property {readonly number[]} std Of each channel, or one for all.
 */

/** @type {readonly (keyof Metadata)[]} */
const KEYS = ['model', 'classes', 'image_shape', 'resize', 'mean', 'std'];

/**
 * The answer to an image.
 * @typedef {object} Answer
 * @property {number[]} probabilities Of the classes.
 * @property {{ layer: string, shares: number[] }[]} attention Of every dynamic layer over its kernels, in the order in which they run.
 */

/** A network that is ready. */
export class Model {
  /** @type {Metadata} */
  metadata;
  /** Height and width of the input. @type {number} */
  size;
  #session;

  /** @param {InferenceSession} session @param {Metadata} metadata */
  constructor(session, metadata) {
    const [input] = session.inputMetadata;
    const size = input?.isTensor ? Number(input.shape.at(-1)) : Number.NaN;
    if (!(size > 0)) throw new Error('Expected a model for images of one size but received another');
    this.#session = session;
    this.metadata = metadata;
    this.size = size;
  }

  /**
   * @param {string} url
   * @throws Error that says what is wrong.
   */
  static async load(url) {
    const response = await fetch(url).catch((cause) => {
      throw new Error('Expected the model but the server does not answer', { cause });
    });
    if (!response.ok) throw new Error(`Expected the model but the server answered ${response.status}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const session = await InferenceSession.create(bytes, { executionProviders: ['wasm'] }).catch((cause) => {
      throw new Error('Expected an ONNX model but model.onnx is damaged or is another file', { cause });
    });
    return new Model(session, readMetadata(bytes));
  }

  /** @param {Float32Array} input [3, size, size] @returns {Promise<Answer>} */
  async run(input) {
    const [image = ''] = this.#session.inputNames;
    const [logits = '', ...layers] = this.#session.outputNames;
    const outputs = await this.#session.run({
      [image]: new Tensor('float32', input, [1, 3, this.size, this.size]),
    });
    const values = (/** @type {string} */ name) =>
      Array.from(/** @type {Float32Array} */ (outputs[name]?.data));
    return {
      probabilities: softmax(values(logits)),
      attention: layers.map((name) => ({
        layer: name.replace(/\.?attention(?=(_\d+)?$)/, ''),
        shares: values(name),
      })),
    };
  }
}

/** @param {number[]} logits */
function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** onnxruntime-web does not give the metadata of a file. @param {Uint8Array} bytes @returns {Metadata} */
function readMetadata(bytes) {
  /** @type {Record<string, unknown>} */
  const found = {};
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === METADATA_PROPS) {
      const [key, value] = readEntry(reader.bytes());
      if (KEYS.some((known) => known === key)) found[key] = parse(key, value);
    } else reader.skip(type, field);
  }
  const missing = KEYS.filter((key) => found[key] === undefined);
  if (missing.length > 0) throw new Error(`Expected ${missing.join(', ')} in the metadata of the model`);
  return /** @type {Metadata} */ (/** @type {unknown} */ (found));
}

/** @param {string} key @param {string} value */
function parse(key, value) {
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw new Error(`Expected JSON for ${key} in the metadata of the model`, { cause });
  }
}

/** @param {Uint8Array} bytes @returns {[key: string, value: string]} */
function readEntry(bytes) {
  const reader = new BinaryReader(bytes);
  let [key, value] = ['', ''];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type !== WireType.LengthDelimited) reader.skip(type, field);
    else if (field === KEY) key = reader.string();
    else value = reader.string();
  }
  return [key, value];
}
