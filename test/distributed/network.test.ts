/** Hosts that are network namespaces: links that are slow, and a host that is cut off. Needs Linux, root and Python. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { moduleArgs, rankEnv, startCommand } from './support.js';

interface Host {
  run: string[];
  device: string;
  address: string;
}
const module = '../../scripts/bench/distributed/namespaces.js';
const {
  withNetwork,
}: { withNetwork: (network: object, use: (hosts: Host[]) => Promise<void>) => Promise<void> } = await import(
  module
);

const TIMEOUT_MS = 4000;
const MARGIN_MS = 12_000;
const PORT = 29_500;

function canMakeNamespaces(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

/** Starts the module on hosts whose links have a bandwidth and a delay, and calls `use` with the processes. */
async function onHosts(
  network: { hosts: number; gbits: number; delayMs: number },
  body: string,
  use: (ranks: ReturnType<typeof startCommand>[], devices: string[]) => Promise<void>,
): Promise<void> {
  await withNetwork({ ...network, python: 'python3' }, async (hosts) => {
    const ranks = hosts.map(({ run: [file, ...words], device }, rank) =>
      startCommand(file!, [...words, process.execPath, ...moduleArgs(body)], {
        ...rankEnv(rank, hosts.length, PORT),
        ...{ MASTER_ADDR: hosts[0]!.address, GLOO_SOCKET_IFNAME: device },
      }),
    );
    try {
      await use(
        ranks,
        hosts.map(({ device }) => device),
      );
    } finally {
      for (const { process: child } of ranks) child.kill('SIGKILL');
      await Promise.all(ranks.map(({ ended }) => ended));
    }
  });
}

it('without namespaces, says what is needed', async () => {
  if (canMakeNamespaces()) return expect(process.platform).toBe('linux');
  await expect(
    withNetwork({ hosts: 1, gbits: 1, delayMs: 1, python: 'python3' }, async () => {}),
  ).rejects.toThrow(/Expected Linux and the user root|needs \/dev\/net\/tun/);
});

describe.runIf(canMakeNamespaces())('hosts in network namespaces', () => {
  it(
    'compute together over a slow link',
    async () => {
      const body = `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
const start = performance.now();
report(values(await group.allReduce(full([3], rank + 1))));
report(performance.now() - start);
await group.destroy();
`;
      await onHosts({ hosts: 2, gbits: 1, delayMs: 50 }, body, async (ranks) => {
        for (const { code, stderr, reports } of await Promise.all(ranks.map(({ ended }) => ended))) {
          expect(stderr).not.toContain('Error');
          expect(code).toBe(0);
          expect(reports[0]).toEqual([3, 3, 3]);
          expect(reports[1]).toBeGreaterThan(100); // at least a message to compare, and one with data
        }
      });
    },
    limit(60_000),
  );

  it(
    'name a host that is cut off in the middle of the training',
    async () => {
      const body = `
const group = await distributed.initProcessGroup({ timeoutMs: ${TIMEOUT_MS} });
const model = new nn.Linear(64, 64);
const ddp = new distributed.DistributedDataParallel(model, { group });
const step = () => ddp.forward(ones([4, 64])).sum().backward();
step();
console.log('ready');
let since = performance.now();
try {
  for (;;) { step(); since = performance.now(); await new Promise((resolve) => setTimeout(resolve, 10)); }
} catch (error) {
  report({ ...failure(error), ms: performance.now() - since });
  process.exit(1);
}
`;
      await onHosts({ hosts: 3, gbits: 1, delayMs: 0.1 }, body, async (ranks, devices) => {
        await Promise.all(ranks.map((rank) => rank.printed('ready')));
        execFileSync('ip', ['-n', devices[2]!, 'link', 'set', devices[2]!, 'down']);
        const ended = await Promise.all(ranks.slice(0, 2).map((rank) => rank.ended));
        for (const { code, reports } of ended) {
          expect(code).toBe(1);
          expect(reports[0]).toMatchObject({ name: 'DistributedError', ranks: [2] });
          expect(reports[0].ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
        }
      });
    },
    limit(90_000),
  );
});
