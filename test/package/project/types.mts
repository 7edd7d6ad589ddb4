import { DynamicConv2d, functional as F, nn, optim, randint, randn, type Tensor } from 'dyconv';

class Net extends nn.Module {
  conv = new DynamicConv2d(1, 4, 3, { numExperts: 2, padding: 'same' });
  fc = new nn.Linear(4 * 8 * 8, 3);

  override forward(x: Tensor): Tensor {
    return this.fc.forward(this.conv.forward(x).relu().flatten(1));
  }
}

const net = new Net();
const optimizer: optim.Optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
const loss = F.crossEntropy(net.forward(randn([2, 1, 8, 8])), randint(0, 3, [2]));
loss.backward();
optimizer.step();
// @ts-expect-error: a mode that does not exist
new DynamicConv2d(1, 1, 1, { routing: 'hard' });
const value: number | bigint = loss.item();
console.log(typeof value);
