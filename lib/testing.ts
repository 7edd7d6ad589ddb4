/**
 * Equality of tensors for test frameworks: `import { equalTensors } from 'dyconv/testing'`. Vitest needs only
 * `setupFiles: ['dyconv/vitest']`; in Jest, and any other `expect` with equality testers, a setup file registers it.
 * In Jest, call `expect.addEqualityTesters([equalTensors])` in a file of `setupFilesAfterEnv`: docs/guides/testing.md.
 * @module
 */
import { noGrad, tidy } from './tensor/context.js';
import { isTensor, type Tensor } from './tensor/tensor.js';

/**
 * An equality tester: tensors are equal when shape, dtype, device and all values are. NaN equals NaN, and 0 equals -0.
 * Strides, gradients and `requiresGrad` do not count. A disposed tensor equals only itself. libtorch compares the values: a
 * million take about a millisecond.
 * @returns undefined where neither is a Tensor, which leaves the comparison to the framework.
 */
export function equalTensors(a: unknown, b: unknown): boolean | undefined {
  if (!isTensor(a)) return isTensor(b) ? false : undefined;
  if (!isTensor(b)) return false;
  if (a === b) return true;
  // The second comparison is exact as well, and lets NaN equal NaN.
  return (
    isComparable(a, b) && noGrad(() => a.equal(b) || a.allclose(b, { rtol: 0, atol: 0, equalNan: true }))
  );
}

function isComparable(a: Tensor, b: Tensor): boolean {
  if (a.isDisposed || b.isDisposed || a.dtype !== b.dtype || a.device !== b.device) return false;
  const { shape } = b;
  return a.ndim === shape.length && a.shape.every((size, i) => size === shape[i]);
}

/**
 * In what two tensors differ, in one line, such as `2 of 6 elements differ, the first at [0, 1]: expected 3 but received 2`.
 * @returns undefined for tensors that are equal.
 */
export function differenceOf(received: Tensor, expected: Tensor): string | undefined {
  if (equalTensors(received, expected)) return undefined;
  if (!isComparable(received, expected))
    return `expected ${kindOf(expected)} but received ${kindOf(received)}`;
  return noGrad(() =>
    tidy(() => {
      const [a, b] = [received.flatten(), expected.flatten()];
      const bothNaN = a.ne(a).logicalAnd(b.ne(b));
      const differ = a.eq(b).logicalOr(bothNaN).logicalNot().to({ dtype: 'int32' });
      const first = Number(differ.argmax().item());
      const at = (x: Tensor) => x.select(0, first).item();
      return (
        `${differ.sum().item()} of ${a.numel} elements differ, the first at ` +
        `[${positionOf(first, received.shape).join(', ')}]: expected ${at(b)} but received ${at(a)}`
      );
    }),
  );
}

function kindOf(tensor: Tensor): string {
  if (tensor.isDisposed) return 'a disposed Tensor';
  const device = tensor.device === 'cpu' ? '' : ` on ${tensor.device}`;
  return `${tensor.dtype} [${tensor.shape.join(', ')}]${device}`;
}

/** The position of an element by its number in row-major order. */
function positionOf(index: number, shape: readonly number[]): number[] {
  let rest = index;
  const position = [...shape].reverse().map((size) => {
    const at = rest % size;
    rest = Math.floor(rest / size);
    return at;
  });
  return position.reverse();
}
