/**
 * Replaces layers inside a network.
 * @module
 */
import { ArgumentError } from '../errors.js';
import { ModuleDict, ModuleList } from './containers.js';
import type { AnyModule } from './module.js';
import { Sequential } from './simple.js';

/** One position of a layer in a network. */
interface Place {
  readonly parent: AnyModule;
  readonly key: string;
  readonly layer: AnyModule;
  readonly replacement: AnyModule;
}

/**
 * Replaces layers of a network in place. All decisions are made before the first change. A layer that occurs in several
 * places is requested once and replaced in all of them.
 * @param replacementOf - Given a layer and its key; returns the layer for its place, `'keep'` to keep it and everything below
 *   it, or undefined to go on with the layers below it.
 * @returns The keys of the places that were changed.
 */
export function replaceLayers(
  root: AnyModule,
  replacementOf: (layer: AnyModule, key: string) => AnyModule | 'keep' | undefined,
): string[] {
  const decided = new Map<AnyModule, AnyModule | 'keep' | undefined>();
  const places: (Place & { path: string })[] = [];
  const visit = (parent: AnyModule, prefix: string) => {
    for (const [key, layer] of parent.namedChildren()) {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      if (!decided.has(layer)) decided.set(layer, replacementOf(layer, path));
      const decision = decided.get(layer);
      if (decision === undefined) visit(layer, path);
      else if (decision !== 'keep') places.push({ parent, key, layer, replacement: decision, path });
    }
  };
  visit(root, '');
  for (const place of places) checkWritable(place);
  for (const place of places) put(place);
  return places.map(({ path }) => path);
}

const isNumber = (key: string) => /^\d+$/.test(key);

/** The fields of the parent that hold the layer. */
function fieldsOf({ parent, layer }: Place): string[] {
  return Object.keys(parent).filter((field) => Reflect.get(parent, field) === layer);
}

function checkWritable(place: Place): void {
  for (const field of fieldsOf(place)) {
    if (Object.getOwnPropertyDescriptor(place.parent, field)?.writable) continue;
    throw new ArgumentError(
      `Expected a field that can be assigned for the layer ${place.key} to be replaced`,
    );
  }
}

function put(place: Place): void {
  const { parent, key, replacement } = place;
  const container: unknown = parent;
  if (container instanceof ModuleDict) container.set(key, replacement);
  else if ((container instanceof Sequential || container instanceof ModuleList) && isNumber(key))
    container.replace(Number(key), replacement as never);
  else for (const field of fieldsOf(place)) Reflect.set(parent, field, replacement);
}
