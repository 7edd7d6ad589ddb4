/**
 * Errors in a network name the layer: `features.3 (Conv2d): Expected ...`. Nothing is counted or noted on the way in; an
 * error collects the path on its way out, from one forward to the one that called it.
 * @module
 */
import { DyconvError } from '../errors.js';
import { visit } from '../program/visits.js';

/** The parts of a module that this file uses; module.ts imports this file. */
interface NamedTree {
  namedModules(): Iterable<[string, object]>;
}

/** The path of an error so far. */
interface Place {
  /** The class of the layer in which it was thrown. */
  readonly layer: string;
  /** The outermost module so far whose forward it has left. */
  module: NamedTree;
  /** The path from that module to the layer. */
  path: string;
  /** The message as it was thrown. */
  readonly message: string;
}

const places = new WeakMap<DyconvError, Place>();
const watched = new WeakSet<object>();

type Forward = (this: NamedTree, ...args: unknown[]) => unknown;

/**
 * Has the classes of a module, up to `base`, name it in the errors of their forward. Each class is changed once, when its
 * first module is made.
 */
export function nameLayerInErrors(module: object, base: object): void {
  let prototype: object | null = Object.getPrototypeOf(module);
  while (prototype !== null && prototype !== base && !watched.has(prototype)) {
    watched.add(prototype);
    const forward = Object.getOwnPropertyDescriptor(prototype, 'forward');
    if (forward?.configurable && typeof forward.value === 'function')
      Object.defineProperty(prototype, 'forward', { ...forward, value: watching(forward.value) });
    prototype = Object.getPrototypeOf(prototype);
  }
}

/** The same function with other error messages. */
function watching(forward: Forward): Forward {
  const watched: Forward = function (...args) {
    try {
      const output =
        visit === undefined ? forward.apply(this, args) : visit(this, () => forward.apply(this, args));
      // A lookup that V8 caches: instanceof would walk up the prototypes of every tensor.
      if (typeof (output as { then?: unknown } | null | undefined)?.then !== 'function') return output;
      return Promise.resolve(output).catch((error) => leave(this, error));
    } catch (error) {
      return leave(this, error);
    }
  };
  // Properties of the function are those of the class's own.
  Object.defineProperty(watched, 'name', { value: forward.name, configurable: true });
  Object.defineProperty(watched, 'length', { value: forward.length, configurable: true });
  return watched;
}

/** Runs a replacement for the forward of a module: errors name the module as those of its forward do. */
export function asForwardOf<Out>(module: NamedTree, body: () => Out): Out {
  try {
    return body();
  } catch (error) {
    return leave(module, error);
  }
}

/** Notes that an error leaves the forward of a module, and throws it on. */
function leave(module: NamedTree, error: unknown): never {
  if (error instanceof DyconvError) {
    const place = places.get(error);
    if (place === undefined) {
      const { name: layer } = module.constructor;
      places.set(error, { layer, module, path: '', message: error.message });
    } else if (place.module !== module) extend(error, place, module);
  }
  throw error;
}

function extend(error: DyconvError, place: Place, module: NamedTree): void {
  const key = keyOf(place.module, module);
  // Not called as a part of this module: what is known stays.
  if (key === undefined) return;
  place.path = place.path === '' ? key : `${key}.${place.path}`;
  place.module = module;
  const message = `${place.path} (${place.layer}): ${place.message}`;
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => message);
  error.message = message;
}

/** The path from a module to one below it. */
function keyOf(part: NamedTree, module: NamedTree): string | undefined {
  try {
    for (const [key, one] of module.namedModules()) if (one === part) return key;
  } catch {
    // No tree: the error on its way says more than one about that.
  }
  return undefined;
}
