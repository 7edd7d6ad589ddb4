import { setTimeout as sleep } from 'node:timers/promises';
import { DynamicConv2d, isGradEnabled, noGrad, randn, version } from 'dyconv';

const layer = new DynamicConv2d(3, 8, 3, { padding: 1 });
const y = layer.forward(randn([2, 3, 8, 8]));
y.square().sum().backward();

// Versions of Node.js differ in how they carry an asynchronous context.
const recorded = await noGrad(async () => {
  await null;
  const first = isGradEnabled();
  await sleep(1);
  return [first, isGradEnabled()];
});
if (recorded.includes(true)) throw new Error('noGrad does not hold across await');
console.log(JSON.stringify({ shape: y.shape, grad: layer.weight.grad?.shape, libtorch: version.libtorch }));
