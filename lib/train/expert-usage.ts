/**
 * The use of experts in all dynamic layers of a model.
 * @module
 */
import type { Module } from '../nn/module.js';
import type { ExpertUsage } from '../run/records.js';

/** A module that counts the use of its experts, such as DynamicConv2d. */
interface CountsExperts {
  expertUsage(): { mean: number[]; entropy: number; samples: number };
  resetExpertUsage(): void;
}

/** Resets the counts of all dynamic layers. */
export function resetExpertUsage(model: Module): void {
  for (const [, layer] of dynamicLayers(model)) layer.resetExpertUsage();
}

/** The use of experts of every dynamic layer since the last reset; unused layers are left out. */
export function readExpertUsage(model: Module): ExpertUsage[] {
  return [...dynamicLayers(model)].flatMap(([layer, module]) => {
    const { mean, entropy, samples } = module.expertUsage();
    return samples > 0 ? [{ layer, mean, entropy }] : [];
  });
}

/** Recognized by methods, not by class, so custom dynamic layers are included. */
function* dynamicLayers(model: Module): Iterable<[string, CountsExperts]> {
  for (const [name, module] of model.namedModules()) {
    if ('expertUsage' in module && 'resetExpertUsage' in module) {
      yield [name, module as unknown as CountsExperts];
    }
  }
}
