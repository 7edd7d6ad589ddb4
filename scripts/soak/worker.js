/**
 * A worker of the soak test: takes a shared tensor, computes, shares the result, and waits to be terminated.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as dyconv from '../../dist/index.js';

const input = dyconv.Tensor.fromHandle(workerData);
const weight = dyconv.ones([64, 64], { requiresGrad: true });
// A graph, a gradient and a read on another thread, all alive when the end comes.
input.matmul(weight).sum().backward();
await weight.data();
const result = input.mul(2).add(1).sum();
parentPort?.postMessage(result.share());
setInterval(() => input.matmul(input), 1);
