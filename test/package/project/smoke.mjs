// What every runtime has to do: tensors, a convolution and its gradient, a dynamic convolution, a compiled network.
import { DynamicConv2d, manualSeed, memory, nn, ones, tensor, version } from 'dyconv';

manualSeed(1);
const x = tensor([1, 2, 3], { requiresGrad: true });
x.square().sum().backward();

const conv = new nn.Conv2d(3, 4, 3, { padding: 1 });
conv
  .forward(ones([2, 3, 8, 8]))
  .sum()
  .backward();

const net = new nn.Sequential(new DynamicConv2d(3, 4, 3, { numExperts: 2 }), new nn.ReLU(), new nn.Flatten());
net.eval();
const images = ones([2, 3, 8, 8]);
const expected = net.forward(images);
expected.sum().backward();
const program = nn.compile(net, images);
const close = (output) => output.sub(expected).abs().max().item() < 1e-5;

console.log(
  JSON.stringify({
    gradient: x.grad.arraySync(),
    // Every weight of the middle of the kernel meets 2 images of 8 x 8.
    centre: conv.weight.grad.index(0, 0, 1, 1).item(),
    runSync: close(program.runSync(images)),
    run: close(await program.run(images)),
    data: [...(await ones([3]).data())],
    tensors: memory().numTensors > 0,
    libtorch: version.libtorch,
  }),
);
