/**
 * JSON schemas of the requests and answers: fastify checks and serializes with them, and `/docs` shows them.
 * @module
 */
import { MEDIA_TYPES } from './image.js';

/** @import { FastifySchema } from 'fastify' */

const FAILURE = {
  description: 'The request failed. Clients should distinguish errors by `code`.',
  type: 'object',
  required: ['statusCode', 'code', 'error', 'message'],
  properties: {
    statusCode: { type: 'integer' },
    code: { type: 'string', examples: ['ERR_IMAGE_FORMAT'] },
    error: { type: 'string', description: 'The name of the status' },
    message: { type: 'string' },
  },
};

/** @param {string} description */
const failure = (description) => ({ ...FAILURE, description });

export const PREDICT = {
  summary: 'Classify an image',
  description: 'The most probable classes of a PNG, JPEG or WebP image.',
  tags: ['prediction'],
  querystring: {
    type: 'object',
    properties: {
      top: { type: 'integer', minimum: 1, maximum: 1000, default: 5, description: 'Number of classes' },
    },
  },
  response: {
    200: {
      description: 'The classes, the most probable first',
      type: 'object',
      required: ['model', 'predictions', 'milliseconds'],
      properties: {
        model: { type: 'string', examples: ['alexnet-dy'] },
        predictions: {
          type: 'array',
          items: {
            type: 'object',
            required: ['name', 'probability'],
            properties: { name: { type: 'string' }, probability: { type: 'number', minimum: 0, maximum: 1 } },
          },
        },
        milliseconds: { type: 'number', description: 'Time from the receipt of the image to the answer' },
      },
    },
    400: failure('The request is invalid, or has no image.'),
    413: failure('The image has too many bytes.'),
    415: failure('The image is not PNG, JPEG or WebP.'),
    422: failure('The image is damaged, or has too many pixels.'),
    503: failure('The service is loading, overloaded or stopping. `Retry-After` has the seconds to wait.'),
    504: failure('The answer took too long.'),
  },
};

const STATUS = { type: 'object', required: ['status'], properties: { status: { type: 'string' } } };

export const HEALTH = {
  summary: 'Liveness: whether the process runs',
  tags: ['operation'],
  response: { 200: { description: 'The process runs.', ...STATUS } },
};

export const READY = {
  summary: 'Readiness: whether requests are accepted',
  tags: ['operation'],
  response: {
    200: { description: 'Requests are accepted.', ...STATUS },
    503: { description: 'The network is being loaded, or the service is stopping.', ...STATUS },
  },
};

const BINARY = { type: 'string', format: 'binary' };

/** The body of `POST /predict`. It is not part of the schema, with which fastify would check the bytes. */
const IMAGE_BODY = {
  content: {
    ...Object.fromEntries(MEDIA_TYPES.map((type) => [type, { schema: BINARY }])),
    'multipart/form-data': {
      schema: { type: 'object', required: ['image'], properties: { image: BINARY } },
    },
  },
};

/**
 * Adds the body to the documentation.
 * @template {FastifySchema} T
 * @param {{ schema: T, url: string }} route
 */
export function withImageBody({ schema, url }) {
  return { schema: url === '/predict' ? { ...schema, body: IMAGE_BODY } : schema, url };
}
