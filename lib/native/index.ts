/**
 * Loads the add-on. {@link Native} is the type of its tables: one file for each family, with the name of the file in
 * cpp/bindings. A test compares names and parameters.
 * @module
 */
import { constants } from 'node:buffer';
import {
  ArgumentError,
  DeviceError,
  DisposedError,
  DistributedError,
  DTypeError,
  NativeError,
  ShapeError,
} from '../errors.js';
import type { ActivationTable } from './activation.js';
import type { ArithmeticTable } from './arithmetic.js';
import type { AutogradTable } from './autograd.js';
import type { BackgroundTable } from './background.js';
import type { CollectiveTable } from './collective.js';
import { collector } from './collector.js';
import type { ComparisonTable } from './comparison.js';
import type { CompileTable } from './compile.js';
import type { ConvTable } from './conv.js';
import type { CreateTable } from './create.js';
import type { CudaTable } from './cuda.js';
import type { CumulativeTable } from './cumulative.js';
import type { DataTable } from './data.js';
import type { DataParallelTable } from './data-parallel.js';
import { memoryLimits, threadLimit } from './defaults.js';
import type { DistributedTable } from './distributed.js';
import type { DynamicConvTable } from './dynamic-conv.js';
import type { ElementwiseTable } from './elementwise.js';
import type { ExchangeTable } from './exchange.js';
import type { GradientsTable } from './gradients.js';
import type { IndexingTable } from './indexing.js';
import type { JoinTable } from './join.js';
import type { LinalgTable } from './linalg.js';
import type { LinearTable } from './linear.js';
import { dyconvCommand, findAddon, loadAddon, setupCommand } from './load.js';
import type { LossTable } from './loss.js';
import type { MatrixTable } from './matrix.js';
import type { NormTable } from './norm.js';
import type { OptimTable } from './optim.js';
import type { OrderTable } from './order.js';
import type { PoolTable } from './pool.js';
import type { ProgramsTable } from './programs.js';
import type { RandomTable } from './random.js';
import type { RecurrentTable } from './recurrent.js';
import type { ReduceTable } from './reduce.js';
import type { ResizeTable } from './resize.js';
import type { RuntimeTable } from './runtime.js';
import type { ScatterTable } from './scatter.js';
import type { ShapeTable } from './shape.js';
import type { StatisticsTable } from './statistics.js';
import type { TensorTable } from './tensor.js';
import type { Handle } from './types.js';

/** The functions of the add-on on tensors of type `T`. Arguments are checked there by their C++ types. */
export interface Native<T extends Handle>
  extends ActivationTable<T>,
    ArithmeticTable<T>,
    AutogradTable<T>,
    BackgroundTable<T>,
    CollectiveTable<T>,
    ComparisonTable<T>,
    CompileTable<T>,
    ConvTable<T>,
    CreateTable<T>,
    CudaTable<T>,
    CumulativeTable<T>,
    DataParallelTable<T>,
    DataTable<T>,
    DistributedTable,
    DynamicConvTable<T>,
    ElementwiseTable<T>,
    ExchangeTable<T>,
    GradientsTable<T>,
    IndexingTable<T>,
    JoinTable<T>,
    LinalgTable<T>,
    LinearTable<T>,
    LossTable<T>,
    MatrixTable<T>,
    NormTable<T>,
    OptimTable<T>,
    OrderTable<T>,
    PoolTable<T>,
    ProgramsTable<T>,
    RandomTable<T>,
    RecurrentTable<T>,
    ReduceTable<T>,
    ResizeTable<T>,
    RuntimeTable<T>,
    ScatterTable<T>,
    ShapeTable<T>,
    StatisticsTable<T>,
    TensorTable<T> {}

function load(): unknown {
  const addon = findAddon();
  try {
    if (!addon) throw new Error('it has not been built, and no prebuilt binary is installed');
    return loadAddon(addon);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NativeError(
      `The native add-on could not be loaded (${reason}). ` +
        `Run \`${setupCommand()}\`; \`${dyconvCommand('doctor')}\` reports the problem.`,
      { cause },
    );
  }
}

const addon = load();

/** The functions of the add-on, for code that does not use the class Tensor. */
export const native = addon as Native<Handle>;

// In the order of ErrorKind in cpp/typed_error.h.
native.setErrorClasses([
  ArgumentError,
  ShapeError,
  DTypeError,
  DeviceError,
  DisposedError,
  NativeError,
  DistributedError,
]);

native.setCollector(collector());
native.setMaxBufferBytes(constants.MAX_LENGTH);

const threads = threadLimit();
if (threads !== undefined) native.limitThreads(threads);
const limits = memoryLimits();
if (limits !== undefined) native.limitMemory(limits.memoryLimit, limits.cacheLimit);

/**
 * The class of the objects that the add-on creates for tensors. It has no members. V8 creates an instance of a class written
 * in JavaScript in half the time of one defined by Node-API.
 */
export class TensorObject {}
native.setTensorClass(TensorObject);

/**
 * Makes the objects of the add-on instances of a class: sets its prototype behind theirs, for methods, `instanceof` and
 * `constructor`.
 * @returns The functions of the add-on, for tensors of that class.
 */
export function tablesFor<T extends Handle>(prototype: T): Native<T> {
  Object.setPrototypeOf(TensorObject.prototype, prototype);
  delete (TensorObject.prototype as { constructor?: unknown }).constructor;
  return addon as Native<T>;
}
