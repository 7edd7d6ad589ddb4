#!/usr/bin/env node
/**
 * Starts the service. It listens at once, so that `/healthz` answers while the network is loaded, and ends after SIGTERM
 * or SIGINT when the accepted requests have been answered.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from './src/app.js';
import { Model } from './src/model.js';
import { readSettings } from './src/settings.js';

const settings = readSettings(process.env);
const model = new Model();
const app = await createApp(settings, model);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void stop(signal));
await app.listen({ host: settings.host, port: settings.port });
try {
  await model.load(settings);
  app.log.info(`${model.name} of ${settings.runDirectory} is ready`);
} catch (error) {
  app.log.fatal(error);
  process.exitCode = 1;
  await app.close();
}

/** @param {string} signal */
async function stop(signal) {
  app.log.info(`${signal}: stopping`);
  setTimeout(() => {
    app.log.fatal(`Stopped after ${settings.stopTimeoutMs} ms with requests left`);
    process.exit(1);
  }, settings.stopTimeoutMs).unref();
  model.drain();
  await sleep(settings.drainDelayMs);
  await app.close();
  await model.close();
  app.log.info('stopped');
}
