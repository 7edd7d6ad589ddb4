/**
 * Work on many files, some at a time.
 * @module
 */

/**
 * Calls an async function for every item in order, with at most `concurrency` calls at a time. After an error no new calls are made.
 * @throws The first error, when the running calls have ended.
 */
export async function forEachParallel<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async () => {
    for (let i = next++; i < items.length && !failed; i = next++) {
      try {
        await work(items[i]!, i);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: concurrency }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
