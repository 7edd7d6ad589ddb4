const { tensor, nn } = require('dyconv');

const x = tensor([[1, 2]], { requiresGrad: true });
new nn.Linear(2, 2).forward(x).sum().backward();
console.log(JSON.stringify({ shape: x.grad.shape }));
