/** Wrong arguments of groups, the store and networks. */
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { rankEnv, runRanks, startRank } from './support.js';

/** Reports the error of each call of a record, by its name. */
const ERRORS = `
const errors = async (calls) => {
  for (const [name, call] of Object.entries(calls)) {
    try { await call(); report([name, 'no error']); } catch (error) { report([name, error.name, error.message]); }
  }
};
`;

describe('starting', () => {
  it('refuses addresses, ports, sizes and interfaces that cannot be', async () => {
    const [reports] = await runRanks(
      1,
      `${ERRORS}
const init = (options) => async () => (await distributed.initProcessGroup({ timeoutMs: 5000, ...options })).destroy();
const withEnv = (name, value) => async () => {
  const before = process.env[name];
  process.env[name] = value;
  try { await init({})(); } finally { process.env[name] = before; }
};
await errors({
  'empty address': init({ masterAddr: '' }),
  'address of two words': init({ masterAddr: 'no host' }),
  'zero byte': init({ masterAddr: 'a\\0b' }),
  'port 0 of two': init({ worldSize: 2, masterPort: 0 }),
  'huge world': init({ worldSize: 2 ** 31 }),
  'huge WORLD_SIZE': withEnv('WORLD_SIZE', '99999999999999999999'),
  'port of five nines': withEnv('MASTER_PORT', '99999'),
  interface: init({ masterPort: 0, networkInterface: 'nothing0' }),
  'own interface': init({ masterPort: 0, networkInterface: 'lo' }),
});
`,
    );
    expect(reports).toEqual([
      [
        'empty address',
        'ArgumentError',
        "Expected a host name or address for masterAddr but received '' (string)",
      ],
      [
        'address of two words',
        'ArgumentError',
        expect.stringContaining("for masterAddr but received 'no host'"),
      ],
      [
        'zero byte',
        'ArgumentError',
        expect.stringContaining('Expected a host name or address for masterAddr'),
      ],
      [
        'port 0 of two',
        'ArgumentError',
        'Expected a port from 1 to 65535 for masterPort but received 0, which the other processes cannot connect to',
      ],
      ['huge world', 'ArgumentError', expect.stringContaining('an integer from 1 to 65536 for worldSize')],
      [
        'huge WORLD_SIZE',
        'ArgumentError',
        "Expected an integer from 1 to 65536 for the environment variable WORLD_SIZE but received '99999999999999999999'",
      ],
      [
        'port of five nines',
        'ArgumentError',
        "Expected an integer from 0 to 65535 for the environment variable MASTER_PORT but received '99999'",
      ],
      [
        'interface',
        'ArgumentError',
        expect.stringMatching(
          /has an address \(.*lo.*\) for networkInterface, or the environment variable GLOO_SOCKET_IFNAME, but received 'nothing0'/,
        ),
      ],
      ['own interface', 'no error'],
    ]);
  });
});

describe('the store', () => {
  it('refuses keys and values that are too long, and adding to a text, without losing its connection', async () => {
    const [reports] = await runRanks(
      1,
      `${ERRORS}
const { store, ...group } = await distributed.initProcessGroup({ timeoutMs: 20_000 });
await store.set('text', 'abc');
await store.set('number', '5');
await errors({
  key: () => store.set('k'.repeat(8001), ''),
  keys: () => store.check(['a', 'ü'.repeat(5000)]),
  'many keys': () => store.wait(Array(100_001).fill('a')),
  value: () => store.set('large', Buffer.alloc(8 * 2 ** 20 + 1)),
  desired: () => store.compareSet('large', '', Buffer.alloc(8 * 2 ** 20 + 1)),
  text: () => store.add('text', 1),
});
await store.set('k'.repeat(8000), Buffer.alloc(8 * 2 ** 20));
report((await store.get('k'.repeat(8000))).length);
report(await store.add('number', 2));
report((await store.get('text')).toString());
await distributed.destroyProcessGroup();
`,
    );
    expect(reports).toEqual([
      ['key', 'ArgumentError', 'Expected at most 8000 bytes for key but received 8001'],
      ['keys', 'ArgumentError', 'Expected at most 8000 bytes for keys[1] but received 10000'],
      ['many keys', 'ArgumentError', 'Expected at most 100000 strings for keys but received 100001'],
      ['value', 'ArgumentError', 'Expected at most 8388608 bytes for value but received 8388609'],
      ['desired', 'ArgumentError', 'Expected at most 8388608 bytes for desired but received 8388609'],
      [
        'text',
        'ArgumentError',
        expect.stringContaining("Expected a key whose value is an integer for key but received 'text'"),
      ],
      8 * 2 ** 20,
      7,
      'abc',
    ]);
  });
});

describe('networks', () => {
  it('name the argument, what was expected and what came', async () => {
    const [reports] = await runRanks(
      1,
      `${ERRORS}
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
const { DistributedDataParallel } = distributed;
const ddp = (options) => () => new DistributedDataParallel(new nn.Linear(2, 2), options);
class Tree extends nn.Module {
  used = new nn.Linear(2, 2);
  unused = new nn.Linear(2, 2);
  forward(x) { const out = { map: new Map([['y', this.used.forward(x)]]), bytes: new Float32Array(9) }; out.self = out; return out; }
}
await errors({
  tag: () => group.send(ones([2]), { dst: 0, tag: 2 ** 30 }),
  bucketCapMb: ddp({ bucketCapMb: 1e300 }),
  findUnusedParameters: ddp({ findUnusedParameters: 'yes' }),
  broadcastBuffers: ddp({ broadcastBuffers: 1 }),
  gradientAsBucketView: ddp({ gradientAsBucketView: 0 }),
  norm: () => new nn.SyncBatchNorm(2, null),
  'norm of no group': () => new nn.SyncBatchNorm(2, { group: 5 }),
  'key of norm': () => new nn.SyncBatchNorm(2, { grup: group }),
  convert: () => nn.SyncBatchNorm.convert(new nn.BatchNorm1d(2), { group: 5 }),
  'outputs in a map, and in themselves': () => {
    const model = new DistributedDataParallel(new Tree(), { findUnusedParameters: true });
    for (let i = 0; i < 2; i++) model.forward(ones([1, 2])).map.get('y').sum().backward();
  },
});
const ended = new DistributedDataParallel(new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2)));
await group.destroy();
await errors({ 'after destroy()': () => ended.forward(ones([4, 2])) });
`,
    );
    const received = (name: string, message: string) => [
      name,
      'ArgumentError',
      expect.stringContaining(message),
    ];
    expect(reports).toEqual([
      received('tag', 'Expected an integer from 0 to 1073741823 for tag but received 1073741824'),
      received('bucketCapMb', 'for bucketCapMb but received 1e+300'),
      received('findUnusedParameters', "Expected a boolean for findUnusedParameters but received 'yes'"),
      received('broadcastBuffers', 'Expected a boolean for broadcastBuffers but received 1'),
      received('gradientAsBucketView', 'Expected a boolean for gradientAsBucketView but received 0'),
      received('norm', 'Expected an object for options but received null'),
      received('norm of no group', 'Expected a ProcessGroup for group but received 5'),
      received('key of norm', "did you mean 'group'?"),
      received('convert', 'Expected a ProcessGroup for group but received 5'),
      ['outputs in a map, and in themselves', 'no error'],
      [
        'after destroy()',
        'DisposedError',
        'Expected a live process group but received one that was destroyed',
      ],
    ]);
  });
});

describe('train.js with a part of the environment of a launcher', () => {
  it('does not train alone', { timeout: limit(60_000) }, async () => {
    const module = new URL('../../scripts/cli/launched.js', import.meta.url).href;
    const body = `
const { joinLaunched } = await import('${module}');
try { report(String(await joinLaunched())); } catch (error) { report(error.message); }
`;
    const run = async (env: Record<string, string>) =>
      (await startRank(body, { ...rankEnv(0, 1, 1), ...env }).ended).reports[0];
    const [noRank, noSize, malformed, ...alone] = await Promise.all([
      run({ RANK: '', WORLD_SIZE: '2' }),
      run({ RANK: '1', WORLD_SIZE: '' }),
      run({ RANK: 'x', WORLD_SIZE: '2' }),
      run({ RANK: '0', WORLD_SIZE: '' }),
      run({ RANK: '', WORLD_SIZE: '' }),
      run({ RANK: '0', WORLD_SIZE: '1' }),
    ]);
    expect(noRank).toMatch(/^Expected the environment variable RANK/);
    expect(noSize).toMatch(/^Expected the environment variable WORLD_SIZE/);
    expect(malformed).toContain("RANK but received 'x'");
    expect(alone).toEqual(['undefined', 'undefined', 'undefined']);
  });
});
