/**
 * Everything that can be called: each function of the add-on's table, each export of the package, each method and
 * accessor of its classes.
 * @module
 */
import * as dyconv from '../../dist/index.js';
import { native } from '../../dist/native/index.js';

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {'call' | 'new' | 'method' | 'get' | 'set'} kind
 * @property {Function} fn
 * @property {number} arity
 * @property {Function} [owner] The class of a method.
 * @property {boolean} [slow] Creates networks, images or files.
 */

const SLOW =
  /^(models\.|report\.|serve\.|train\.|data\.|nn\.fuse|autograd\.gradcheck|loadS|readS|saveS|loadN|saveN)/;
// Calls that change what every later call does: the tracer, which is called for every tensor, and the start of a
// recording or a block of deferred operations, which lib/ always ends; and the one that waits for other processes.
const LEFT_OUT = new Set([
  'native.setTracer',
  'native.openBackground',
  'native.recordingOpen',
  'native.recordingBegin',
  'native.openWorld',
]);
// What TypeScript calls protected or internal: called by the package itself alone, on objects it has made.
const PROTECTED = new RegExp(
  [
    '#(stepGroup|check|slotNames|slotsOf|initialValue|isDecoupled|rateOf|capturable|extraRepr|registerBuffer|pack|unpack)$',
    '^optim\\.lr\\..*#(apply|applyMore|factor|rate|next|first|restart|suspend|moved|parts|momentum)$',
    '^optim\\.lr\\..*#(checkState|takeState|seekParts)$',
    '^autograd\\.FunctionContext|^optim\\.Optimizer$|^distributed\\.ProcessGroup$|^nn\\.ODAttention$|^models\\.ResNet$',
  ].join('|'),
);

/** @returns {Target[]} */
export function listTargets() {
  /** @type {Target[]} */
  const targets = [];
  for (const [name, fn] of Object.entries(native)) {
    // Node-API functions have no length: 16 is the most any of them takes.
    if (!LEFT_OUT.has(`native.${name}`)) targets.push({ name: `native.${name}`, kind: 'call', fn, arity: 8 });
  }
  const seen = new Set();
  walk('', dyconv, targets, seen);
  return targets.filter(({ name }) => !PROTECTED.test(name));
}

/** @param {string} path @param {Record<string, unknown>} space @param {Target[]} targets @param {Set<unknown>} seen */
function walk(path, space, targets, seen) {
  if (seen.has(space)) return;
  seen.add(space);
  for (const key of Object.keys(space)) {
    const value = space[key];
    const name = path ? `${path}.${key}` : key;
    const slow = SLOW.test(name);
    if (typeof value === 'function') {
      if (seen.has(value)) continue;
      seen.add(value);
      const isClass = /^class\b/.test(Function.prototype.toString.call(value));
      // What an error's constructor makes of its arguments is the language's business.
      if (isClass && value.prototype instanceof Error) continue;
      targets.push({ name, kind: isClass ? 'new' : 'call', fn: value, arity: value.length + 2, slow });
      if (isClass) addMembers(name, value, targets, slow);
    } else if (typeof value === 'object' && value !== null) {
      walk(name, /** @type {Record<string, unknown>} */ (value), targets, seen);
    }
  }
}

/**
 * Methods and accessors, and static methods. Inherited members are listed with their own class.
 * @param {string} path
 * @param {Function} owner
 * @param {Target[]} targets
 * @param {boolean} slow
 */
function addMembers(path, owner, targets, slow) {
  let level = owner.prototype;
  /** @type {Set<string>} */
  const seen = new Set(['constructor']);
  // Tensor inherits from classes that are not exported; what it copies or overrides counts once.
  do {
    for (const [key, { value, get, set }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (seen.has(key)) continue;
      seen.add(key);
      const name = `${path}#${key}`;
      if (typeof value === 'function')
        targets.push({ name, kind: 'method', fn: value, arity: value.length + 2, owner, slow });
      if (get) targets.push({ name, kind: 'get', fn: get, arity: 0, owner, slow });
      if (set) targets.push({ name, kind: 'set', fn: set, arity: 1, owner, slow });
    }
    level = Object.getPrototypeOf(level);
  } while (owner === dyconv.Tensor && level !== Object.prototype);
  for (const key of Object.getOwnPropertyNames(owner)) {
    const value = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (owner))[key];
    if (['length', 'name', 'prototype'].includes(key) || typeof value !== 'function') continue;
    targets.push({ name: `${path}.${key}`, kind: 'call', fn: value.bind(owner), arity: 3, slow });
  }
}
