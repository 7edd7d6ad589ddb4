/** What strangers send to the port of the store cannot end the process that has it. */
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { freePort, rankEnv, startRank } from './support.js';

const MESSAGES = 10_000;
const AT_ONCE = 50;
/** The first message of a client: the query VALIDATE and a magic number. */
const VALIDATE = Buffer.from([0, 0xce, 0xf7, 0x85, 0x3c]);
const QUERIES = 20;

/** The same numbers in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const random = generator(1);
const bytes = (length: number) => Buffer.from(Array.from({ length }, () => random(256)));

/** A length field: plausible, too large, or negative. */
function length(): Buffer {
  const field = Buffer.alloc(8);
  const choices = [BigInt(random(40)), 2n ** 31n, 2n ** 40n, 2n ** 63n - 1n, -1n];
  field.writeBigInt64LE(choices[random(choices.length)]!);
  return field;
}

/** Bytes without meaning, or queries with wrong parts, after a right beginning or none. */
function message(): Buffer {
  const parts: Uint8Array[] = random(3) === 0 ? [] : [VALIDATE];
  for (let i = 0; i <= random(3); i++) {
    parts.push(Buffer.from([random(QUERIES)]), length(), bytes(random(40)), length(), bytes(random(20)));
  }
  return random(5) === 0 ? bytes(1 + random(200)) : Buffer.concat(parts);
}

/** A right message, the query SET: it shows that the others get as far as the parts behind their beginning. */
function setting(key: string, value: string): Buffer {
  const text = (part: string) => {
    const field = Buffer.alloc(8);
    field.writeBigInt64LE(BigInt(part.length));
    return Buffer.concat([field, Buffer.from(part)]);
  };
  return Buffer.concat([VALIDATE, Buffer.from([1]), text(`/${key}`), text(value)]);
}

function send(port: number, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.end(data));
    socket.on('error', () => {}).on('close', () => resolve());
    socket.resume().setTimeout(200, () => socket.destroy());
  });
}

it(`${MESSAGES} malformed messages`, { timeout: 300_000 }, async () => {
  const port = await freePort();
  const rank = startRank(
    `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
await group.store.set('key', 'value');
console.log('ready');
process.on('SIGTERM', async () => {
  report((await group.store.get('key')).toString());
  report((await group.store.get('reached')).toString());
  report(values(await group.allReduce(ones([2]))));
  process.exit(0);
});
setInterval(() => {}, 1000);
`,
    rankEnv(0, 1, port),
  );
  await rank.printed('ready');
  for (let sent = 0; sent < MESSAGES; sent += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => send(port, message())));
  await send(port, setting('reached', 'yes'));
  rank.process.kill('SIGTERM');
  const { code, signal, reports } = await rank.ended;
  expect({ code, signal, reports }).toEqual({ code: 0, signal: null, reports: ['value', 'yes', [1, 1]] });
});
