/**
 * Tensor with all methods: its core (core.ts) and the families of methods, which are added here. A family is a class whose
 * methods take a Tensor as `this`, and so may call those of all families. Its table in lib/native and cpp/bindings has the same name.
 * @module
 */
import { ActivationMethods } from './activation.js';
import { AliasMethods } from './aliases.js';
import { ArithmeticMethods } from './arithmetic.js';
import { ComparisonMethods } from './comparison.js';
import { Tensor } from './core.js';
import { CumulativeMethods } from './cumulative.js';
import { ElementwiseMethods } from './elementwise.js';
import { HooksMethods } from './hooks.js';
import { IndexingMethods } from './indexing.js';
import { InteropMethods } from './interop.js';
import { JoinMethods } from './join.js';
import { MatrixMethods } from './matrix.js';
import { OrderMethods } from './order.js';
import { PropertyMethods } from './properties.js';
import { RandomMethods } from './random.js';
import { ReduceMethods } from './reduce.js';
import { ScatterMethods } from './scatter.js';
import { ShapeMethods } from './shape.js';
import { StatisticsMethods } from './statistics.js';

export {
  type BackwardOptions,
  isTensor,
  native,
  type Operand,
  Tensor,
  TO_KEYS,
  type ToOptions,
} from './core.js';

const FAMILIES = [
  ArithmeticMethods,
  ComparisonMethods,
  ElementwiseMethods,
  ActivationMethods,
  ReduceMethods,
  CumulativeMethods,
  StatisticsMethods,
  OrderMethods,
  MatrixMethods,
  IndexingMethods,
  ScatterMethods,
  ShapeMethods,
  JoinMethods,
  RandomMethods,
  HooksMethods,
  InteropMethods,
  PropertyMethods,
  AliasMethods,
];

declare module './core.js' {
  interface Tensor
    extends ArithmeticMethods,
      ComparisonMethods,
      ElementwiseMethods,
      ActivationMethods,
      ReduceMethods,
      CumulativeMethods,
      StatisticsMethods,
      OrderMethods,
      MatrixMethods,
      IndexingMethods,
      ScatterMethods,
      ShapeMethods,
      JoinMethods,
      RandomMethods,
      HooksMethods,
      InteropMethods,
      PropertyMethods,
      AliasMethods {}
}

// Copied to one prototype: completion in the REPL searches only a few prototypes.
for (const { prototype } of FAMILIES) {
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(prototype);
  Object.defineProperties(Tensor.prototype, members);
}
