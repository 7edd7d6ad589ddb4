/**
 * The settings of a process in a group, from options and from the variables that launchers set: torchrun, Slurm scripts,
 * Kubernetes, `dyconv launch`.
 * @module
 */
import { integer, oneOf } from '../check/arguments.js';
import { checkOptions, checkString, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError } from '../errors.js';

/** Options of {@link initProcessGroup}. Those that are left out come from the environment. */
export interface InitProcessGroupOptions {
  /** The backend. Only `'gloo'`, for tensors on the CPU, is available. Default `'gloo'`. */
  backend?: 'gloo' | 'nccl' | undefined;
  /** Number of this process, from 0. Default: the variable `RANK`. */
  rank?: number | undefined;
  /** Number of processes. Default: the variable `WORLD_SIZE`. */
  worldSize?: number | undefined;
  /** Host of rank 0, which has the store. Default: the variable `MASTER_ADDR`, or 127.0.0.1. */
  masterAddr?: string | undefined;
  /** Port of the store. Default: the variable `MASTER_PORT`, or 29500. */
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
  min: number,
): number {
  if (value !== undefined) return integer(option, value, min);
  const text = process.env[variable];
  if (text !== undefined && text !== '') {
    if (/^\d+$/.test(text) && Number(text) >= min) return Number(text);
    throw new ArgumentError(
      `Expected an integer of at least ${min} for the environment variable ${variable} but received '${text}'`,
    );
  }
  if (fallback !== undefined) return fallback;
  throw new ArgumentError(
    `Expected the environment variable ${variable}, which launchers such as \`dyconv launch\` set, or the option ${option}`,
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
  const worldSize = integerOf('worldSize', options.worldSize, 'WORLD_SIZE', undefined, 1);
  const rank = integerOf('rank', options.rank, 'RANK', undefined, 0);
  if (rank >= worldSize)
    throw new ArgumentError(
      `Expected a rank below the world size, ${worldSize}, for rank but received ${rank}`,
    );
  const masterPort = integerOf('masterPort', options.masterPort, 'MASTER_PORT', DEFAULT_PORT, 0);
  if (masterPort > MAX_PORT)
    throw new ArgumentError(`Expected a port up to ${MAX_PORT} for masterPort but received ${masterPort}`);
  return {
    backend,
    rank,
    worldSize,
    masterAddr: checkString(options.masterAddr ?? (process.env.MASTER_ADDR || '127.0.0.1'), 'masterAddr'),
    masterPort,
    timeoutMs: integer('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1),
    networkInterface: checkString(
      options.networkInterface ?? process.env.GLOO_SOCKET_IFNAME ?? '',
      'networkInterface',
    ),
    serve: rank === 0 && process.env.TORCHELASTIC_USE_AGENT_STORE !== 'True',
  };
}
