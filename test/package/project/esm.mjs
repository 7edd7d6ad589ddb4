import { DynamicConv2d, randn, version } from 'dyconv';

const layer = new DynamicConv2d(3, 8, 3, { padding: 1 });
const y = layer.forward(randn([2, 3, 8, 8]));
y.square().sum().backward();
console.log(JSON.stringify({ shape: y.shape, grad: layer.weight.grad?.shape, libtorch: version.libtorch }));
