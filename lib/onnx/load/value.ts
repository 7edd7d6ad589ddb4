/**
 * The value of a name of the graph while it runs: a tensor, or numbers that are known without one.
 * @module
 */
import type { Device } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Host, hostOf, tensorOfHost } from './host.js';

/** A value of the graph. */
export class Value {
  readonly #tensor: Tensor | undefined;
  readonly #make: ((device: Device) => Tensor) | undefined;
  /** Its elements, where they are known without asking a device. */
  readonly known: Host | undefined;

  private constructor(
    tensor: Tensor | undefined,
    known: Host | undefined,
    make?: (device: Device) => Tensor,
  ) {
    this.#tensor = tensor;
    this.known = known;
    this.#make = make;
  }

  /** @param known - Its elements, if it is a constant. */
  static ofTensor(tensor: Tensor, known?: Host): Value {
    return new Value(tensor, known);
  }

  /** @param make - Makes the tensor in another way than from the numbers, such as by `arange`. */
  static ofHost(known: Host, make?: (device: Device) => Tensor): Value {
    return new Value(undefined, known, make);
  }

  /** The tensor, if it has been one from the beginning. */
  get held(): Tensor | undefined {
    return this.#tensor;
  }

  /** The tensor; known numbers become a new one on `device`. */
  tensor(device: Device): Tensor {
    if (this.#tensor !== undefined) return this.#tensor;
    return this.#make?.(device) ?? tensorOfHost(this.known!, device);
  }

  /** Its elements. Those of a computed tensor are read, which waits for its device. */
  host(): Host {
    return this.known ?? hostOf(this.#tensor!);
  }
}
