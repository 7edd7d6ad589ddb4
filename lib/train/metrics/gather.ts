/**
 * What metrics exchange when several processes evaluate parts of a set.
 * @module
 */
import type { ProcessGroup } from '../../process-group/group.js';
import { tensor } from '../../tensor/create.js';

/** The largest value of all processes. */
async function largest(group: ProcessGroup, value: number): Promise<number> {
  using all = tensor([value], { dtype: 'float64' });
  await group.allReduce(all, { op: 'max' });
  return Number(all.item());
}

/**
 * The sums of all processes. A process without batches may have fewer values: the missing ones count as 0.
 * @param values - Counts and sums, exact up to 2^53.
 */
export async function sumOverProcesses(group: ProcessGroup, values: readonly number[]): Promise<number[]> {
  const length = await largest(group, values.length);
  if (length === 0) return [];
  using sums = tensor(
    Array.from({ length }, (_, i) => values[i] ?? 0),
    { dtype: 'float64' },
  );
  await group.allReduce(sums);
  return sums.arraySync() as number[];
}

/** The values of all processes, by rank. */
export async function valuesOfProcesses(
  group: ProcessGroup,
  values: ArrayLike<number>,
  dtype: 'float32' | 'float64',
): Promise<Float64Array[]> {
  using own = tensor([values.length], { dtype: 'float64' });
  const counts = (await group.allGather(own)).map((count) => {
    using _ = count;
    return Number(count.item());
  });
  const length = Math.max(...counts);
  if (length === 0) return counts.map(() => new Float64Array());
  using padded = tensor(
    Array.from({ length }, (_, i) => values[i] ?? 0),
    { dtype },
  );
  const all = await group.allGather(padded);
  return all.map((one, rank) => {
    using _ = one;
    return Float64Array.from(one.dataSync() as Float32Array | Float64Array).subarray(0, counts[rank]);
  });
}
