/**
 * How dynamic layers used their experts, collected over a model.
 * @module
 */
import type { Module } from '../nn/module.js';
import type { ExpertUsage } from './records.js';

/** A module that counts how it used its experts, such as DynamicConv2d. */
interface CountsExperts {
  expertUsage(): { mean: number[]; entropy: number };
  resetExpertUsage(): void;
}

/** Starts the count of every dynamic layer anew. */
export function resetExpertUsage(model: Module): void {
  for (const [, layer] of dynamicLayers(model)) layer.resetExpertUsage();
}

/** The usage of every dynamic layer since the last reset; empty for a model without such layers. */
export function readExpertUsage(model: Module): ExpertUsage[] {
  return Array.from(dynamicLayers(model), ([layer, module]) => {
    const { mean, entropy } = module.expertUsage();
    return { layer, mean, entropy };
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
