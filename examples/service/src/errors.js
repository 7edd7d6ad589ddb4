/**
 * Errors and their HTTP status. The body of every failed request is `{ statusCode, code, error, message }`.
 * @module
 */
import { STATUS_CODES } from 'node:http';
import createError from '@fastify/error';

/** @import { FastifyInstance, FastifyRequest } from 'fastify' */

export const MissingImage = createError(
  'ERR_MISSING_IMAGE',
  'Expected an image in the body of the request',
  400,
);
export const InvalidForm = createError(
  'ERR_INVALID_FORM',
  'Expected a form with an image but received a damaged one: %s',
  400,
);
export const ImageFormat = createError(
  'ERR_IMAGE_FORMAT',
  'Expected a PNG, JPEG or WebP image but received %s',
  415,
);
export const ImageSize = createError('ERR_IMAGE_SIZE', 'Expected at most %s pixels but received %s', 422);
export const NotReady = createError('ERR_NOT_READY', 'The service is %s', 503);

/** The status of dyconv's errors by their `code`. */
const STATUS = new Map([
  ['ERR_DATASET', 422], // the image cannot be decoded
  ['ERR_OVERLOADED', 503], // the queue is full
  ['ERR_CLOSED', 503], // the pool accepts no more requests
  ['ERR_TIMEOUT', 504],
]);

/**
 * @typedef {Error & { statusCode?: number, code?: unknown, retryAfterMs?: number }} Failure
 * An error of fastify, which has a `statusCode`, or another one. `retryAfterMs`: an estimate of an overloaded pool.
 */

/** @param {Failure} error @param {FastifyRequest} request */
function statusOf({ statusCode, code }, request) {
  // Nobody reads the answer. The number, nginx's, is for logs and metrics.
  if (request.socket.destroyed) return 499;
  const status = statusCode ?? STATUS.get(String(code)) ?? 500;
  return status >= 400 ? status : 500;
}

/** Answers failed requests. @param {FastifyInstance} app */
export function handleErrors(app) {
  app.setErrorHandler((/** @type {Failure} */ error, request, reply) => {
    const statusCode = statusOf(error, request);
    if (statusCode === 500) request.log.error(error);
    else request.log.info({ code: error.code, reason: error.message }, 'request failed');
    if (statusCode === 503) reply.header('retry-after', Math.ceil((error.retryAfterMs ?? 1000) / 1000));
    return reply.code(statusCode).send({
      statusCode,
      code: String(error.code ?? 'ERR_INTERNAL'),
      error: STATUS_CODES[statusCode] ?? 'Client Closed Request',
      // The message of an unforeseen error can contain paths and values of the server.
      message: statusCode === 500 ? 'The request failed for an unknown reason' : error.message,
    });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      ...{ statusCode: 404, code: 'ERR_NOT_FOUND', error: 'Not Found' },
      message: `There is no ${request.method} ${request.url}`,
    }),
  );
}
