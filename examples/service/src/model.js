/**
 * The network and the state of the service.
 * @module
 */
import { serve } from 'dyconv';
import sharp from 'sharp';
import { NotReady } from './errors.js';

/** @import { Settings } from './settings.js' */

/**
 * A classifier that is loaded after the server has started.
 * `loading`: not there yet. `ready`: answers. `draining`: answers, but the process is about to end.
 */
export class Model {
  /** @type {'loading' | 'ready' | 'draining'} */
  state = 'loading';
  /** @type {serve.Classifier | undefined} */
  #classifier;

  /** @param {Settings} settings */
  async load({ runDirectory, checkpoint, replicas, threadsPerReplica, batching }) {
    const options = { checkpoint, replicas, threadsPerReplica, batching };
    const classifier = await serve.loadClassifier(runDirectory, options);
    // The first image takes longer: memory is allocated and the decoder is loaded.
    await classifier.predict(
      await sharp({ create: { width: 32, height: 32, channels: 3, background: '#888' } })
        .png()
        .toBuffer(),
    );
    this.#classifier = classifier;
    if (this.state === 'loading') this.state = 'ready';
  }

  /** Name of the network. */
  get name() {
    return this.#loaded().config.model;
  }

  /**
   * All classes, the most probable first.
   * @param {Uint8Array} image A file.
   * @param {{ signal: AbortSignal, timeoutMs: number }} options `signal` gives up the request.
   */
  async predict(image, options) {
    return this.#loaded().predict(image, options);
  }

  /** Text for Prometheus. */
  async prometheus() {
    return this.#classifier ? this.#classifier.pool.prometheus() : '';
  }

  /** Ends readiness. */
  drain() {
    this.state = 'draining';
  }

  /** Waits for accepted requests and frees the memory. */
  async close() {
    await this.#classifier?.close();
  }

  #loaded() {
    if (!this.#classifier) throw new NotReady(this.state);
    return this.#classifier;
  }
}
