/**
 * Decodes image files in a worker thread of the soak test. A body `kill` ends the thread.
 * @module
 */
import { decodePicture } from '../../../dist/data/picture.js';
import { DatasetError } from '../../../dist/index.js';

/** @param {Uint8Array[]} bodies @returns {Promise<(Uint8Array | Error)[]>} */
export default function decode(bodies) {
  return Promise.all(
    bodies.map(async (body) => {
      if (Buffer.from(body).toString('latin1') === 'kill') process.exit(1);
      try {
        return await decodePicture(Buffer.from(body), { channels: 3, height: 128, width: 128 });
      } catch (error) {
        return new DatasetError(String(error));
      }
    }),
  );
}
