/**
 * The settings of a process in a group, from options and from the variables that launchers set: torchrun, Slurm scripts,
 * Kubernetes, `dyconv launch`.
 * @module
 */
import { networkInterfaces } from 'node:os';
import { integer, oneOf } from '../check/arguments.js';
import { checkOptions, checkString, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';

/** Options of {@link initProcessGroup}. Those that are left out come from the environment. */
export interface InitProcessGroupOptions {
  /** The backend. Only `'gloo'`, for tensors on the CPU, is available. Default `'gloo'`. */
  backend?: 'gloo' | 'nccl' | undefined;
  /** Number of this process, from 0. Default: the variable `RANK`. */
  rank?: number | undefined;
  /** Number of processes, at most 65,536. Default: the variable `WORLD_SIZE`. */
  worldSize?: number | undefined;
  /** Host of rank 0, which has the store. Default: the variable `MASTER_ADDR`, or 127.0.0.1. */
  masterAddr?: string | undefined;
  /** Port of the store; 0, for a single process: a free one. Default: the variable `MASTER_PORT`, or 29500. */
  masterPort?: number | undefined;
  /** Maximum wait for other processes in any call, in milliseconds. Default 1,800,000 (30 minutes), as in PyTorch. */
  timeoutMs?: number | undefined;
  /**
   * Network interface for the connections, such as `'eth0'`. Default: the variable `GLOO_SOCKET_IFNAME`; without it, loopback
   * if `masterAddr` is a loopback address, otherwise the interface of the host name.
   */
  networkInterface?: string | undefined;
}

const KEYS = optionKeys(
  'backend',
  'rank',
  'worldSize',
  'masterAddr',
  'masterPort',
  'timeoutMs',
  'networkInterface',
);

const DEFAULT_PORT = 29500; // of PyTorch's launchers
const DEFAULT_TIMEOUT_MS = 30 * 60 * 1000;
const MAX_PORT = 65535;
/** Every process is connected with every other. */
const MAX_WORLD_SIZE = 65_536;

/** What {@link InitProcessGroupOptions} and the environment say. */
export interface Membership extends Omit<RequiredOptions<InitProcessGroupOptions>, 'backend'> {
  readonly backend: 'gloo';
  /** Whether this process has the store: rank 0, unless torchrun's agent has it. */
  readonly serve: boolean;
}

/** An integer from the option, or from the variable of that name. */
function integerOf(
  option: string,
  value: number | undefined,
  variable: string,
  fallback: number | undefined,
  [min, max]: readonly [number, number],
): number {
  if (value !== undefined) return integer(option, value, min, max);
  const text = process.env[variable];
  if (text !== undefined && text !== '') {
    if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    throw new ArgumentError(
      `Expected an integer from ${min} to ${max} for the environment variable ${variable} but received '${text}'`,
    );
  }
  if (fallback !== undefined) return fallback;
  throw new ArgumentError(
    `Expected the environment variable ${variable}, which launchers such as \`dyconv launch\` set, or the option ${option}`,
  );
}

/** Checks the name of a network interface; empty: none is chosen. */
function interfaceOf(name: string): string {
  if (checkString(name, 'networkInterface') === '') return name;
  const names = Object.keys(networkInterfaces());
  if (names.includes(name)) return name;
  throw new ArgumentError(
    `Expected a network interface that has an address (${names.join(', ')}) for networkInterface, or the environment variable GLOO_SOCKET_IFNAME, but received '${name}'`,
  );
}

/** Whether a launcher started this process as one of several: `RANK` and `WORLD_SIZE` are set. */
export function isLaunched(): boolean {
  return (process.env.RANK ?? '') !== '' && (process.env.WORLD_SIZE ?? '') !== '';
}

/** Combines options and environment. @throws ArgumentError */
export function membership(options: InitProcessGroupOptions): Membership {
  checkOptions(options, KEYS);
  const backend = oneOf('backend', ['gloo', 'nccl'], options.backend ?? 'gloo');
  if (backend === 'nccl')
    throw new ArgumentError(
      "Expected 'gloo' for backend but received 'nccl', which dyconv does not support yet",
    );
  const worldSize = integerOf('worldSize', options.worldSize, 'WORLD_SIZE', undefined, [1, MAX_WORLD_SIZE]);
  const rank = integerOf('rank', options.rank, 'RANK', undefined, [0, MAX_WORLD_SIZE - 1]);
  if (rank >= worldSize)
    throw new ArgumentError(
      `Expected a rank below the world size, ${worldSize}, for rank but received ${rank}`,
    );
  const masterPort = integerOf('masterPort', options.masterPort, 'MASTER_PORT', DEFAULT_PORT, [0, MAX_PORT]);
  if (masterPort === 0 && worldSize > 1)
    throw new ArgumentError(
      'Expected a port from 1 to 65535 for masterPort but received 0, which the other processes cannot connect to',
    );
  const masterAddr = checkString(
    options.masterAddr ?? (process.env.MASTER_ADDR || '127.0.0.1'),
    'masterAddr',
  );
  if (!/^\S+$/.test(masterAddr) || masterAddr.includes('\0'))
    throw invalidArgument('masterAddr', 'a host name or address', masterAddr);
  return {
    backend,
    rank,
    worldSize,
    masterAddr,
    masterPort,
    timeoutMs: integer('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1),
    networkInterface: interfaceOf(options.networkInterface ?? process.env.GLOO_SOCKET_IFNAME ?? ''),
    serve: rank === 0 && process.env.TORCHELASTIC_USE_AGENT_STORE !== 'True',
  };
}
