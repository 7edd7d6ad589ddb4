/**
 * Hosts on this machine: network namespaces whose links have a bandwidth and a delay. Needs Linux and root.
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** @typedef {{ hosts: number, gbits: number, delayMs: number }} Network - `delayMs`: one way. */
/** @typedef {{ run: string[], device: string, address: string }} Host - `run`: words that run a command there. */

const LINK = fileURLToPath(new URL('link.py', import.meta.url));
/** Packets as large as they can be: the switch is a process, and its cost is by packet. */
const MTU = 65_000;

/** @param {string[]} args */
const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });

/**
 * Makes the hosts, calls `use` with them, and removes them.
 * @template T
 * @param {Network & { python: string }} network
 * @param {(hosts: Host[]) => Promise<T>} use
 */
export async function withNetwork({ hosts, gbits, delayMs, python }, use) {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error('Expected Linux and the user root: the hosts are network namespaces');
  const name = `dyconv${process.pid}-`;
  const link = spawn(python, [LINK, String(hosts), String(gbits), String(delayMs), name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => link.once('close', resolve));
  /** @type {Host[]} */
  const made = [];
  try {
    const { done } = await createInterface({ input: link.stdout })[Symbol.asyncIterator]().next();
    if (done) throw new Error(`${python} ${LINK} ended: it needs /dev/net/tun`);
    for (let host = 0; host < hosts; host++) {
      const space = `${name}${host}`;
      const address = `10.213.77.${host + 1}`;
      ip('netns', 'add', space);
      made.push({ run: ['ip', 'netns', 'exec', space], device: space, address });
      ip('link', 'set', space, 'netns', space); // the device has the name of its namespace
      ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', space);
      ip('-n', space, 'link', 'set', space, 'mtu', String(MTU), 'txqueuelen', '1000', 'up');
      ip('-n', space, 'link', 'set', 'lo', 'up');
    }
    return await use(made);
  } finally {
    link.stdin.end();
    await ended;
    for (const { device } of made) ip('netns', 'del', device);
  }
}
