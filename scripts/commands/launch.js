/**
 * `launch`: starts a script in several processes that train together, and restarts them when one fails.
 * @module
 */
import { defineCommand } from '../cli/command.js';
import { freePort, runGroup } from '../cli/process-group.js';
import { nonNegativeInteger, positiveInteger, text } from '../cli/value-types.js';

/** @import { OptionsOf, OptionTable } from '../cli/types.js' */

const DEFAULT_PORT = 29500;
const MAX_PORT = 65535;

const OPTIONS = /** @satisfies {OptionTable} */ ({
  nproc: { value: 'n', type: positiveInteger, default: 1, help: 'processes on this machine' },
  nnodes: {
    value: 'n',
    type: positiveInteger,
    default: 1,
    help: 'number of machines; run the command on each',
  },
  nodeRank: { value: 'n', type: nonNegativeInteger, default: 0, help: 'number of this machine, from 0' },
  masterAddr: {
    value: 'host',
    type: text,
    help: 'host name or address of machine 0 (default: 127.0.0.1 for one machine; must be given for several)',
  },
  masterPort: {
    value: 'port',
    type: positiveInteger,
    help: `port of the store on machine 0 (default: a free one for one machine, else ${DEFAULT_PORT})`,
  },
  maxRestarts: {
    value: 'n',
    type: nonNegativeInteger,
    default: 0,
    help: 'maximum number of restarts of all processes after a failure',
  },
});

export const command = defineCommand({
  name: 'launch',
  description:
    'Starts a script in several processes that train together, with the environment of a process group.',
  argument: { name: '<script...>', description: 'the script and its arguments' },
  examples: [
    '--nproc 2 scripts/train.js --model alexnet-dy --dataset bundled --out runs/dy',
    '--nproc 2 --max-restarts 3 scripts/train.js --dataset cifar10 --data-dir data --out runs/dy',
    '--nnodes 2 --node-rank 0 --master-addr 10.0.0.1 --nproc 4 my-training.js',
  ],
  options: OPTIONS,
  notes: `Each process gets RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT and, unless it is set,
OMP_NUM_THREADS: its share of the processors. When a process fails, the others are stopped; the command ends
with its exit code, or starts all of them again, with the number of the attempt in TORCHELASTIC_RESTART_COUNT:
train.js then continues from the last checkpoint. SIGINT (Ctrl-C) and SIGTERM are passed on to the processes,
SIGHUP and SIGQUIT as SIGTERM: train.js then writes a checkpoint. A process that has not ended 10 s after a
second signal is killed.`,
  run: launch,
})
  // What follows the script belongs to it.
  .passThroughOptions()
  .allowUnknownOption();

/**
 * @param {OptionsOf<typeof OPTIONS>} options
 * @param {{ args: string[] }} invocation
 */
async function launch(options, { args }) {
  const { nproc, nnodes, nodeRank, masterAddr, maxRestarts } = options;
  const { ArgumentError } = await import('../../dist/errors.js');
  if (nodeRank >= nnodes)
    throw new ArgumentError(`Expected a number below ${nnodes} for --node-rank but received ${nodeRank}`);
  if (nnodes > 1 && masterAddr === undefined)
    throw new ArgumentError('Expected --master-addr, the address of machine 0, with --nnodes above 1');
  if ((options.masterPort ?? 1) > MAX_PORT)
    throw new ArgumentError(
      `Expected a port up to ${MAX_PORT} for --master-port but received ${options.masterPort}`,
    );
  const { usableCores } = await import('../../dist/control-groups.js');
  const threads = Math.max(1, Math.floor(usableCores() / nproc));
  for (let attempt = 0; ; attempt++) {
    const port = options.masterPort ?? (nnodes === 1 ? await freePort() : DEFAULT_PORT);
    const environments = Array.from({ length: nproc }, (_, local) => ({
      ...process.env,
      OMP_NUM_THREADS: process.env.OMP_NUM_THREADS || String(threads),
      RANK: String(nodeRank * nproc + local),
      LOCAL_RANK: String(local),
      WORLD_SIZE: String(nnodes * nproc),
      LOCAL_WORLD_SIZE: String(nproc),
      MASTER_ADDR: masterAddr ?? '127.0.0.1',
      MASTER_PORT: String(port),
      // Rank 0 has the store, also where this command was started by torchrun, whose agent has one.
      TORCHELASTIC_USE_AGENT_STORE: 'False',
      TORCHELASTIC_RESTART_COUNT: String(attempt),
      TORCHELASTIC_MAX_RESTARTS: String(maxRestarts),
    }));
    const { code, failed, interrupted } = await runGroup(args, environments);
    if (code === 0 || interrupted) return code;
    const what = `rank ${nodeRank * nproc + failed} ended with ${code}`;
    if (attempt === maxRestarts) {
      console.error(`launch: ${what}`);
      return code;
    }
    console.error(`launch: ${what}; restart ${attempt + 1} of ${maxRestarts}`);
  }
}
