/**
 * The calls themselves, in a separate process: a crash ends only this process. Before each call its number goes to
 * the file `progress`; findings go to standard output, a line of JSON each.
 * Arguments: progress, seed, first, last (not included), target pattern, memory limit in MB.
 * @module
 */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import * as dyconv from '../../dist/index.js';
import { native } from '../../dist/native/index.js';
import { Random } from './random.js';
import { fitting, readSignatures } from './signatures.js';
import { listTargets } from './targets.js';
import { makeTensor, makeValue, Poison, show } from './values.js';

const [, , progressFile = '', seedText, firstText, lastText, pattern, limitText] = process.argv;
const seed = Number(seedText);
const first = Number(firstText);
const last = Number(lastText);

// Sizes that could be had but take seconds to fill are refused like those that cannot.
const memoryLimit = Number(limitText) * 2 ** 20;
dyconv.setMemoryOptions({ memoryLimit });
dyconv.setNumThreads(1);
process.on('unhandledRejection', () => {});
process.on('warning', () => {});

const all = listTargets().filter(({ name }) => !pattern || new RegExp(pattern).test(name));
const natives = all.filter(({ name }) => name.startsWith('native.'));
const quick = all.filter((target) => !target.name.startsWith('native.') && !target.slow);
const slow = all.filter((target) => target.slow);
const signatures = readSignatures();
const progress = openSync(progressFile, 'w');
const counts = { calls: 0, refused: 0, returned: 0, passed: 0, targets: new Set() };

/** @import { Target } from './targets.js' */

/** @param {number} call */
async function makeCall(call) {
  const random = new Random(seed, call);
  const target = pickTarget(random);
  counts.calls++;
  counts.targets.add(target.name);
  const { receiver, args } = prepare(target, random);
  if (target.owner && receiver === undefined) return;
  for (let attempt = 0; attempt < 12; attempt++) {
    writeSync(
      progress,
      `${call} ${target.name}(${args.map((arg) => show(arg)).join(', ')})`.padEnd(400).slice(0, 400),
      0,
    );
    const error = await attemptCall(target, receiver, args);
    // An argument that a function of the table rejects is replaced, until all fit.
    if (!target.name.startsWith('native.') || !repair(target.name, args, error, random)) break;
  }
  // The add-on's own switches, which calls of its table leave as they please.
  native.setMode(true, false);
  native.enterScope(0);
  native.setMemoryLimit(memoryLimit);
  native.setCacheLimit(memoryLimit);
  native.setNumThreads(1);
}

/** @param {Random} random @returns {Target} */
function pickTarget(random) {
  const kind = random.next();
  const list = [natives, quick, slow].filter((some) => some.length > 0);
  if (list.length < 3) return random.pick(random.pick(list));
  return random.pick(kind < 0.45 ? natives : kind < 0.985 ? quick : slow);
}

/** @param {Target} target @param {Random} random */
function prepare(target, random) {
  const names = signatures.get(target.name.replace('native.', ''));
  const arity = target.name.startsWith('native.') && names ? names.length : target.arity;
  const count = random.chance(0.8) ? arity : random.below(arity + 3);
  const args = Array.from({ length: count }, () => makeValue(random));
  return { receiver: target.owner ? makeReceiver(target.owner, random) : undefined, args };
}

/** @type {Map<Function, () => unknown>} */
const MAKERS = new Map();
for (const Layer of [dyconv.nn.Conv2d, dyconv.nn.DynamicConv2d, dyconv.nn.CondConv2d, dyconv.nn.ODConv2d])
  MAKERS.set(Layer, () => new Layer(2, 2, 1));
for (const Layer of [dyconv.nn.DynamicConv1d, dyconv.nn.DynamicConv3d])
  MAKERS.set(Layer, () => new Layer(2, 2, 1));
MAKERS.set(dyconv.optim.lr.LRScheduler, () => new dyconv.optim.lr.StepLR(optimizer(), SCHEDULE));
MAKERS.set(dyconv.optim.Optimizer, () => optimizer());
MAKERS.set(dyconv.nn.Module, () => new dyconv.nn.Linear(3, 2));
MAKERS.set(dyconv.nn.Linear, () => new dyconv.nn.Linear(3, 2));
MAKERS.set(dyconv.nn.Embedding, () => new dyconv.nn.Embedding(4, 2));
MAKERS.set(dyconv.nn.BatchNorm2d, () => new dyconv.nn.BatchNorm2d(2));
MAKERS.set(dyconv.nn.GroupNorm, () => new dyconv.nn.GroupNorm(1, 2));
MAKERS.set(dyconv.nn.LayerNorm, () => new dyconv.nn.LayerNorm([3]));
MAKERS.set(dyconv.nn.Sequential, () => new dyconv.nn.Sequential(new dyconv.nn.ReLU()));
for (const name of /** @type {const} */ (['SGD', 'Adam', 'AdamW', 'RMSprop'])) {
  MAKERS.set(
    dyconv.optim[name],
    () => new dyconv.optim[name]([dyconv.ones([2]).requiresGrad_()], { lr: 0.1 }),
  );
}

const optimizer = () => new dyconv.optim.SGD([dyconv.ones([2]).requiresGrad_()], { lr: 0.1 });
const SCHEDULE = {
  gamma: 0.5,
  stepSize: 1,
  milestones: [1],
  tMax: 2,
  maxLr: 1,
  totalSteps: 9,
  lrLambda: () => 1,
};

/** A class that is called with whatever it may take. @typedef {new (...args: unknown[]) => object} AnyClass */

/**
 * An object of the class, undefined where none can be made; for a Tensor's methods, sometimes anything else.
 * @param {Function} owner
 * @param {Random} random
 */
function makeReceiver(owner, random) {
  if (owner === dyconv.Tensor) return random.chance(0.1) ? makeValue(random) : makeTensor(random);
  const make = MAKERS.get(owner);
  const Owner = /** @type {AnyClass} */ (owner);
  for (const attempt of [
    make,
    () => new Owner(2),
    () => new Owner(4, 2),
    () => new Owner(),
    () => new Owner(optimizer(), SCHEDULE),
  ]) {
    if (!attempt) continue;
    try {
      return attempt();
    } catch {}
  }
  return undefined;
}

/**
 * @param {Target} target
 * @param {unknown} receiver
 * @param {unknown[]} args
 * @returns {Promise<unknown>} The error, if it was one of the package's own.
 */
async function attemptCall(target, receiver, args) {
  let result;
  try {
    result =
      target.kind === 'new' ? Reflect.construct(target.fn, args) : Reflect.apply(target.fn, receiver, args);
    await settle(result, args);
    counts.returned++;
    return undefined;
  } catch (error) {
    return judge(error, target, receiver, args);
  }
}

/**
 * What asynchronous functions and iterators come to, as far as it is theirs and not an argument's.
 * @param {unknown} result
 * @param {unknown[]} args
 */
async function settle(result, args) {
  if (args.includes(result)) return;
  if (result instanceof Promise) {
    const late = Symbol('late');
    // Files and threads have their time; a promise that nobody settles is a finding.
    const value = await Promise.race([result, sleep(20_000, late, { ref: false })]);
    if (value === late) throw new Error('the promise was not settled in 20 s');
    return;
  }
  if (typeof result !== 'object' || result === null) return;
  const iterator = /** @type {Partial<Record<'next' | 'return' | symbol, Function>>} */ (result);
  if (typeof iterator.next !== 'function') return;
  if (typeof iterator[Symbol.iterator] === 'function') {
    for (let i = 0; i < 20 && !iterator.next().done; i++);
  } else if (typeof iterator[Symbol.asyncIterator] === 'function') {
    for (let i = 0; i < 3 && !(await iterator.next()).done; i++);
    await iterator.return?.();
  }
}

/**
 * Counts an error, and reports one that is a finding.
 * @param {unknown} error
 * @param {Target} target
 * @param {unknown} receiver
 * @param {unknown[]} args
 * @returns {unknown} The error, if it is one of the package's own.
 */
function judge(error, target, receiver, args) {
  const isOurs = error instanceof dyconv.DyconvError;
  // An error class constructed by the call itself, or what an argument threw, is passed on unchanged.
  const theirs =
    error instanceof Poison ||
    (error instanceof Error && error.cause instanceof Poison) ||
    args.includes(error);
  const names =
    !(error instanceof dyconv.ArgumentError) || /\b(for|of|Expected)\b|^\w+: /.test(error.message);
  if (isOurs && names && error.message.length > 0) {
    counts.refused++;
    return error;
  }
  if (theirs) {
    counts.passed++;
    return undefined;
  }
  console.log(
    JSON.stringify({
      finding: isOurs ? 'unnamed' : 'untyped',
      call: counts.calls - 1 + first,
      target: target.name,
      receiver: target.owner ? show(receiver) : undefined,
      args: args.map((arg) => show(arg)),
      error: inspect(error).split('\n').slice(0, 4).join(' | '),
    }),
  );
  return undefined;
}

/**
 * Replaces the argument that the message names; false when there is none.
 * @param {string} name
 * @param {unknown[]} args
 * @param {unknown} error
 * @param {Random} random
 */
function repair(name, args, error, random) {
  if (!(error instanceof dyconv.DyconvError) || random.chance(0.05)) return false;
  const match = /^Expected (.+) for (\w+) of (\w+) but received/.exec(error.message);
  const position = signatures.get(name.replace('native.', ''))?.indexOf(match?.[2] ?? '') ?? -1;
  if (!match || position === -1) return false;
  args[position] = fitting(match[1] ?? '', random);
  return true;
}

for (let call = first; call < last; call++) await makeCall(call);
console.log(JSON.stringify({ summary: { ...counts, targets: counts.targets.size, known: all.length } }));
// Timers and jobs of the calls are of no interest any more.
process.exit(0);
