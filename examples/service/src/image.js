/**
 * The image of a request: raw bytes or the file of a form.
 * @module
 */
import multipart from '@fastify/multipart';
import sharp from 'sharp';
import { ImageFormat, ImageSize, InvalidForm, MissingImage } from './errors.js';

/** @import { FastifyInstance, FastifyRequest } from 'fastify' */
/** @import { Settings } from './settings.js' */

export const MEDIA_TYPES = ['image/png', 'image/jpeg', 'image/webp'];

const FORMATS = ['png', 'jpeg', 'webp'];

/** Accepts bodies of images and of forms. @param {FastifyInstance} app @param {Settings} settings */
export async function acceptImages(app, { maxBytes }) {
  const raw = [...MEDIA_TYPES, 'application/octet-stream'];
  app.removeAllContentTypeParsers(); // of JSON and text
  app.addContentTypeParser(raw, { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
    done(null, body),
  );
  await app.register(multipart, { limits: { fileSize: maxBytes, files: 1, fields: 8, fieldSize: 1024 } });
}

/**
 * The bytes of the image. Its format and its size in pixels are checked in its header, before it is decoded.
 * @param {FastifyRequest} request
 * @param {Settings} settings
 * @returns {Promise<Buffer>}
 */
export async function readImage(request, { maxPixels }) {
  const image = await bytesOf(request);
  if (image.length === 0) throw new MissingImage();
  const { format, width, height } = await headerOf(image);
  if (!FORMATS.includes(format)) throw new ImageFormat(format);
  if (width * height > maxPixels) throw new ImageSize(maxPixels, width * height);
  return image;
}

/** @param {FastifyRequest} request @returns {Promise<Buffer>} */
async function bytesOf(request) {
  if (!request.isMultipart()) {
    if (Buffer.isBuffer(request.body)) return request.body;
    throw new MissingImage();
  }
  const file = await parseForm(() => request.file());
  if (!file) throw new MissingImage();
  return parseForm(() => file.toBuffer());
}

/**
 * The errors of the form's parser for a damaged form have no status: without one, they would be failures of the service.
 * @template T
 * @param {() => Promise<T>} parse
 */
async function parseForm(parse) {
  try {
    return await parse();
  } catch (error) {
    const { statusCode, message } = /** @type {Error & { statusCode?: number }} */ (error);
    throw statusCode === undefined ? new InvalidForm(message) : error;
  }
}

/** @param {Buffer} image */
async function headerOf(image) {
  try {
    return await sharp(image, { limitInputPixels: false }).metadata();
  } catch {
    throw new ImageFormat('a file of another type');
  }
}
