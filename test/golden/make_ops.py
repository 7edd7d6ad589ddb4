"""Makes ops.json, the expected outputs and gradients of single operations: python make_ops.py (needs torch 2.13 and numpy).

A case names a call of the public interface ("x.add", "F.conv2d", "linalg.qr", "where"), its arguments, and what PyTorch
gives for the same: outputs, and the gradients of the floating-point inputs for hashed output gradients. Inputs are float64
from the same integer hash on both sides (values() of make_golden.py), so that only results are stored. The cases stand in
make_ops_tensor.py (methods of Tensor), make_ops_nn.py (functional) and make_ops_more.py (options and what is left).
"""
import json
import math
import pathlib

import torch

from make_golden import values

CASES = []


class Input:
    """A tensor argument: hashed float64 numbers, or literal data of another dtype."""

    def __init__(self, shape=None, scale=2.0, shift=0.0, grad=True, data=None, dtype=None, leaf=False):
        self.leaf = leaf  # of literal data: whether its gradient is asked for
        self.shape, self.scale, self.shift, self.grad, self.data, self.dtype = shape, scale, shift, grad, data, dtype

    def make(self, seed):
        if self.data is not None:
            return torch.tensor(self.data, dtype=self.dtype, requires_grad=self.leaf)
        numbers = values(math.prod(self.shape), seed) * self.scale + self.shift
        tensor = torch.from_numpy(numbers).reshape(self.shape)
        return tensor.requires_grad_() if self.grad else tensor

    def spec(self, seed):
        if self.data is not None:
            flat = torch.tensor(self.data, dtype=self.dtype)
            grad = {"grad": True} if self.leaf else {}
            return {"data": numbers(flat), "shape": list(flat.shape), "dtype": dtype(flat), **grad}
        return {"shape": list(self.shape), "seed": seed, "scale": self.scale, "shift": self.shift, "grad": self.grad}


def t(*shape, scale=2.0, shift=0.0, grad=True):
    """Numbers in shift ± scale / 2."""
    return Input(shape, scale, shift, grad)


def pos(*shape, grad=True):
    """Numbers in [0.5, 1.5)."""
    return Input(shape, 1.0, 1.0, grad)


def i(data):
    return Input(data=data, dtype=torch.int64)


def b(data):
    return Input(data=data, dtype=torch.bool)


def f(data, grad=False):
    return Input(data=data, dtype=torch.float64, leaf=grad)


def dtype(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def number(value):
    if isinstance(value, bool) or isinstance(value, int):
        return value
    return float(f"{value:.13g}") if math.isfinite(value) else str(value)


def numbers(tensor):
    return [number(v) for v in tensor.detach().flatten().tolist()]


def literal(arg, inputs):
    """Arguments as JSON; a tensor is its place among the inputs."""
    if isinstance(arg, Input):
        inputs.append(arg)
        return {"t": len(inputs) - 1}
    if isinstance(arg, slice):
        return {"slice": [arg.start, arg.stop, arg.step]}
    if isinstance(arg, dict):
        return {key: literal(value, inputs) for key, value in arg.items()}
    if isinstance(arg, (list, tuple)):
        return [literal(value, inputs) for value in arg]
    if isinstance(arg, float) and not math.isfinite(arg):
        return {"number": "Infinity" if arg > 0 else "-Infinity"}
    return arg


def stored(result):
    if isinstance(result, torch.Tensor):
        return {"shape": list(result.shape), "dtype": dtype(result), "data": numbers(result)}
    return {"value": result}


def case(call, fn, *args, seed=None, inplace=False, pick=None):
    """fn takes the tensors among args, in order. pick: names of the results to compare, where others are not unique."""
    inputs = []
    spec = {"call": call, "args": [literal(arg, inputs) for arg in args]}
    tensors = [entry.make(k + 1) for k, entry in enumerate(inputs)]
    spec["inputs"] = [entry.spec(k + 1) for k, entry in enumerate(inputs)]
    if seed is not None:
        spec["seed"] = seed
        torch.manual_seed(seed)
    given = [tensors[0].clone(), *tensors[1:]] if inplace else tensors
    if inplace:
        spec["inplace"] = True
    if pick is not None:
        spec["pick"] = pick
    results = fn(*given)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    spec["outputs"] = [stored(result) for result in results]
    total = None
    for k, result in enumerate(results):
        if isinstance(result, torch.Tensor) and result.requires_grad:
            weights = torch.from_numpy(values(result.numel(), 1000 + k)).reshape(result.shape)
            part = (result * weights).sum()
            total = part if total is None else total + part
    if total is not None:
        leaves = [tensor for tensor in tensors if tensor.requires_grad]
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
        spec["grads"] = [None if g is None else numbers(g) for g in gradients]
    CASES.append(spec)


def main():
    import make_ops_more
    import make_ops_nn
    import make_ops_tensor

    torch.set_num_threads(1)
    make_ops_tensor.add()
    make_ops_nn.add()
    make_ops_more.add()
    lines = ",\n".join(json.dumps(spec, separators=(",", ":")) for spec in CASES)
    version = torch.__version__.split("+")[0]
    text = f'{{"generator":"make_ops.py","torch":"{version}","values":[\n{lines}\n]}}\n'
    (pathlib.Path(__file__).parent / "ops.json").write_text(text)
    print(len(CASES), "cases,", len(text), "bytes")


if __name__ == "__main__":
    import sys

    sys.modules["make_ops"] = sys.modules[__name__]  # the case files add to this module's list
    main()
