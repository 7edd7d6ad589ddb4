/**
 * Metrics for Prometheus: of the process, of the HTTP requests, and of the pool that computes.
 * @module
 */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** @import { FastifyInstance } from 'fastify' */

/**
 * Adds `GET /metrics`.
 * @param {FastifyInstance} app
 * @param {{ prometheus(): Promise<string> }} model
 */
export function addMetrics(app, model) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the header of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers: [registry],
  });
  const aborted = new Counter({
    name: 'http_requests_aborted_total',
    help: 'Requests whose client closed the connection before the answer',
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    // Paths without a route have one label: any client can make up paths.
    const route = request.routeOptions.url ?? 'none';
    const labels = { method: request.method, route, status: reply.statusCode };
    duration.observe(labels, reply.elapsedTime / 1000);
  });
  app.addHook('onRequest', async (_request, { raw }) => {
    raw.once('close', () => {
      if (!raw.writableFinished) aborted.inc();
    });
  });
  app.get(
    '/metrics',
    { schema: { summary: 'Metrics for Prometheus', tags: ['operation'], produces: ['text/plain'] } },
    async (_request, reply) => {
      reply.type(registry.contentType);
      return `${await registry.metrics()}${await model.prometheus()}`;
    },
  );
}
