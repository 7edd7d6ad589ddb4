/**
 * The routes of the service.
 * @module
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { LogController } from 'fastify';
import { handleErrors } from './errors.js';
import { acceptImages, readImage } from './image.js';
import { addMetrics } from './metrics.js';
import { addPage } from './page.js';
import { HEALTH, PREDICT, READY, withImageBody } from './schemas.js';

/** @import { FastifyReply } from 'fastify' */
/** @import { Settings } from './settings.js' */
/** @import { Model } from './model.js' */

/**
 * The server, not listening yet.
 * @param {Settings} settings
 * @param {Pick<Model, 'state' | 'name' | 'predict' | 'prometheus'>} model
 */
export async function createApp(settings, model) {
  const app = Fastify({
    logger: { level: settings.logLevel },
    logController: new LogController({
      // Health checks every few seconds would be most of the log.
      disableRequestLogging: (request) => !request.url.startsWith('/predict'),
    }),
    requestTimeout: settings.uploadTimeoutMs,
    // Node.js ignores a time limit of requests that is below that of their headers (60 s), and checks only every 30 s.
    http: { headersTimeout: settings.uploadTimeoutMs, connectionsCheckingInterval: 1000 },
    bodyLimit: settings.maxBytes,
  });
  handleErrors(app);
  await app.register(swagger, {
    openapi: { info: { title: 'Image classifier', version: '1.0.0' } },
    transform: withImageBody,
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  await acceptImages(app, settings);
  addMetrics(app, model);
  await addPage(app);

  // A connection that stays open would delay the end of the process.
  app.addHook('onSend', async (_request, reply) => {
    if (model.state === 'draining') reply.header('connection', 'close');
  });

  app.get('/healthz', { schema: HEALTH }, async () => ({ status: 'ok' }));

  app.get('/readyz', { schema: READY }, async (_request, reply) => {
    if (model.state !== 'ready') reply.code(503).header('retry-after', 1);
    return { status: model.state };
  });

  app.post('/predict', { schema: PREDICT }, async (request, reply) => {
    const signal = abortedByClient(reply);
    const { top } = /** @type {{ top: number }} */ (request.query);
    const start = performance.now();
    const image = await readImage(request, settings);
    const { timeoutMs } = settings;
    const classes = await model.predict(image, { signal, timeoutMs });
    return {
      model: model.name,
      predictions: classes.slice(0, top),
      milliseconds: Math.round(10 * (performance.now() - start)) / 10,
    };
  });
  return app;
}

/**
 * A signal that is aborted when the client closes the connection before its answer. fastify's `request.signal` is of no use
 * here: Node.js 20 closes the request as soon as its body has been read.
 * @param {FastifyReply} reply
 */
function abortedByClient({ raw }) {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
