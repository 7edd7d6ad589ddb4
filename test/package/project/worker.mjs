import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { ones } from 'dyconv';

if (isMainThread) {
  const answers = await Promise.all(
    [1, 2].map(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url));
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  console.log(JSON.stringify({ answers, own: ones([2, 2]).sum().item() }));
} else {
  parentPort.postMessage(ones([3, 3]).sum().item());
}
