/**
 * The network and the state of the service.
 * @module
 */
import createError from '@fastify/error';
import { serve } from 'dyconv';
import { NotReady } from './errors.js';

/** @import { Settings } from './settings.js' */

const Overloaded = createError('ERR_OVERLOADED', 'The queue is full: %s requests wait', 503);
const TimedOut = createError('ERR_TIMEOUT', 'Expected an answer within %s ms', 504);

/**
 * A classifier that is loaded after the server has started.
 * `loading`: not there yet. `ready`: answers. `draining`: answers, but the process is about to end.
 */
export class Model {
  /** @type {'loading' | 'ready' | 'draining'} */
  state = 'loading';
  /** @type {serve.Classifier | undefined} */
  #classifier;
  #maxQueue = 0;
  #waiting = 0;

  /** @param {Settings} settings */
  async load({ runDirectory, checkpoint, maxQueue }) {
    this.#classifier = await serve.loadClassifier(runDirectory, { checkpoint });
    this.#maxQueue = maxQueue;
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
  async predict(image, { signal, timeoutMs }) {
    const classifier = this.#loaded();
    if (this.#waiting >= this.#maxQueue) throw new Overloaded(this.#waiting);
    this.#waiting++;
    const predicted = classifier.predict(image).finally(() => {
      this.#waiting--;
    });
    /** @type {Promise<never>} */
    const interrupted = new Promise((_resolve, reject) => {
      const timer = setTimeout(() => reject(new TimedOut(timeoutMs)), timeoutMs);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const end = () => clearTimeout(timer);
      predicted.then(end, end);
    });
    return Promise.race([predicted, interrupted]);
  }

  /** Text for Prometheus. */
  async prometheus() {
    return `# HELP classifier_waiting Requests that wait for an answer\n# TYPE classifier_waiting gauge\nclassifier_waiting ${this.#waiting}\n`;
  }

  /** Ends readiness. */
  drain() {
    this.state = 'draining';
  }

  /** Frees the memory. */
  async close() {
    this.#classifier?.dispose();
  }

  #loaded() {
    if (!this.#classifier) throw new NotReady(this.state);
    return this.#classifier;
  }
}
