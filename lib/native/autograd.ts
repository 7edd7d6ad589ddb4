/**
 * The table of cpp/bindings/autograd.cc.
 * @module
 */
import type { Handle, Optional } from './types.js';

/** Gradients: the graph, backward passes, functions and hooks written in JavaScript. */
export interface AutogradTable<T extends Handle> {
  isLeaf(input: T): boolean;
  requiresGrad(input: T): boolean;
  setRequiresGrad(input: T, value: boolean): void;
  grad(input: T): Optional<T>;
  setGrad(input: T, value: Optional<T>): void;
  backward(input: T, gradient: T | undefined, retainGraph: boolean, createGraph: boolean): void;
  gradOf(
    outputs: readonly T[],
    inputs: readonly T[],
    gradOutputs: readonly Optional<T>[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): Optional<T>[];
  customFunction(
    name: string,
    inputs: readonly T[],
    outputs: readonly T[],
    differentiable: readonly boolean[],
    saved: readonly T[],
    materialize: boolean,
    backward: (gradients: Optional<T>[], saved: T[]) => void,
  ): void;
  returnGradients(gradients: readonly Optional<T>[]): void;
  registerHook(input: T, hook: (gradient: T) => void): number;
  removeHook(input: T, hook: number): void;
  retainGrad(input: T): void;
  retainsGrad(input: T): boolean;
  gradFunction(input: T): string;
  setAnomaly(enabled: boolean, checkNan: boolean, capture: (() => string) | null): void;
}
