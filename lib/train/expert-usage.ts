/**
 * How dynamic layers used their experts, collected over a model.
 * @module
 */
import type { Module } from '../nn/module.js';
import type { ExpertUsage } from '../run/records.js';

/** A module that counts how it used its experts, such as DynamicConv2d. */
interface CountsExperts {
  expertUsage(): { mean: number[]; entropy: number; samples: number };
  resetExpertUsage(): void;
}

/** Starts the count of every dynamic layer anew. */
export function resetExpertUsage(model: Module): void {
  for (const [, layer] of dynamicLayers(model)) layer.resetExpertUsage();
}

/** The usage of every dynamic layer that was used since the last reset. */
export function readExpertUsage(model: Module): ExpertUsage[] {
  return [...dynamicLayers(model)].flatMap(([layer, module]) => {
    const { mean, entropy, samples } = module.expertUsage();
    return samples > 0 ? [{ layer, mean, entropy }] : [];
  });
}

/** Recognised by their methods, not by their class: user-made dynamic layers take part as well. */
function* dynamicLayers(model: Module): Iterable<[string, CountsExperts]> {
  for (const [name, module] of model.namedModules()) {
    if ('expertUsage' in module && 'resetExpertUsage' in module) {
      yield [name, module as unknown as CountsExperts];
    }
  }
}
