/**
 * One contestant of `bench.js threads`: reads `infer <batch> <seconds>` or `train <batch> <seconds>` and answers with
 * images per second.
 * @module
 */
import { createInterface } from 'node:readline';
import { functional as F, models, noGrad, optim, randint, randn, tidy } from '../../dist/index.js';

const network = models.create(process.argv[2] ?? 'alexnet', { numClasses: 10 });
const optimizer = new optim.SGD(network.parameters(), { lr: 0.01 });

/** @type {Record<string, (batch: number) => () => void>} */
const steps = {
  infer(batch) {
    network.eval();
    const images = randn([batch, 3, 128, 128]);
    return () => noGrad(() => tidy(() => void network.forward(images)));
  },
  train(batch) {
    network.train();
    const images = randn([batch, 3, 128, 128]);
    const labels = randint(0, 10, [batch]);
    return () =>
      tidy(() => {
        optimizer.zeroGrad();
        F.crossEntropy(network.forward(images), labels).backward();
        optimizer.step();
      });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [what = '', batch = '', seconds = ''] = line.split(' ');
  const prepare = steps[what];
  if (!prepare) throw new Error(`Expected ${Object.keys(steps).join(' or ')} but received ${line}`);
  const step = prepare(Number(batch));
  step();
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < Number(seconds) * 1000) {
    step();
    count++;
  }
  console.log(((count * Number(batch) * 1000) / (performance.now() - start)).toFixed(2));
}
