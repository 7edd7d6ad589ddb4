/**
 * Starts the processes of a group and asks all of them at once.
 * @module
 */
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startLineProcess } from '../line-process.js';

/** @import { Host } from './namespaces.js' */
/** @import { RankConfig } from './rank.js' */
/** @typedef {{ ask: <T>(request: string) => Promise<T[]>, end: () => Promise<void> }} Ranks - The answers of all processes, by rank. */

/** Of a host that has no other use. */
const HOST_PORT = 29_500;
const RANK = fileURLToPath(new URL('rank.js', import.meta.url));
const REFERENCE = fileURLToPath(new URL('reference.py', import.meta.url));

/** A free port of the loopback interface. @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {{ file: string, args: string[], env: Record<string, string> }[]} commands - One for each rank.
 * @returns {Ranks}
 */
export function startCommands(commands) {
  const processes = commands.map(({ file, args, env }) =>
    startLineProcess(file, args, { ...process.env, ...env }),
  );
  return {
    async ask(request) {
      try {
        const answers = await Promise.all(processes.map(({ ask }) => ask(request)));
        return answers.map((answer) => JSON.parse(answer));
      } catch (error) {
        for (const { kill } of processes) kill();
        throw error;
      }
    },
    end: async () => void (await Promise.all(processes.map(({ end }) => end()))),
  };
}

/** The environment of a launcher. @param {number} rank @param {number} worldSize @param {number} port */
function launcherEnv(rank, worldSize, port, host = '127.0.0.1') {
  return {
    RANK: String(rank),
    LOCAL_RANK: String(rank),
    WORLD_SIZE: String(worldSize),
    MASTER_ADDR: host,
    MASTER_PORT: String(port),
  };
}

/** Processes of dyconv on this machine. @param {number} worldSize @param {RankConfig} config @param {{ isGroup: boolean }} options */
export async function startRanks(worldSize, config, { isGroup }) {
  const port = await freePort();
  return startCommands(
    Array.from({ length: worldSize }, (_, rank) => ({
      file: process.execPath,
      args: [RANK, JSON.stringify(config)],
      env: isGroup ? launcherEnv(rank, worldSize, port) : {},
    })),
  );
}

/** A process of dyconv on each host. @param {readonly Host[]} hosts @param {RankConfig} config */
export function startHosts(hosts, config) {
  const [first] = hosts;
  return startCommands(
    hosts.map(({ run: [file = '', ...words], device }, rank) => ({
      file,
      args: [...words, process.execPath, RANK, JSON.stringify(config)],
      env: {
        ...launcherEnv(rank, hosts.length, HOST_PORT, first?.address),
        LOCAL_RANK: '0',
        GLOO_SOCKET_IFNAME: device,
      },
    })),
  );
}

/** Processes of torch.distributed on this machine. @param {string} python @param {number} worldSize */
export async function startReference(python, worldSize) {
  const port = await freePort();
  return startCommands(
    Array.from({ length: worldSize }, (_, rank) => ({
      file: python,
      args: [REFERENCE],
      env: launcherEnv(rank, worldSize, port),
    })),
  );
}
