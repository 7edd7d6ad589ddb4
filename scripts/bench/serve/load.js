/**
 * Clients that send the next request when the last one is answered.
 * @module
 */
import { Agent, request } from 'undici';

/** The percentile of values, by rank. @param {readonly number[]} values @param {number} share */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Calls a function from several clients at once for some seconds.
 * @param {{ clients: number, seconds: number }} options
 * @param {(client: number) => Promise<unknown>} call
 */
export async function closedLoop({ clients, seconds }, call) {
  /** @type {number[]} */
  const latencies = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (performance.now() < end) {
        const sent = performance.now();
        await call(client);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  const perSecond = (latencies.length * 1000) / (performance.now() - start);
  return { perSecond, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Posts one body over and over. @param {string} url @param {Uint8Array} body @param {number} clients */
export function poster(url, body, clients) {
  const dispatcher = new Agent({ connections: clients });
  return {
    async post() {
      const { statusCode, body: answer } = await request(url, { method: 'POST', body, dispatcher });
      const text = await answer.text();
      if (statusCode !== 200) throw new Error(`The server answered ${statusCode}: ${text}`);
    },
    close: () => dispatcher.destroy(),
  };
}
