"""Makes layers.json, the expected outputs and gradients of attention and recurrent layers: python make_layers.py (needs torch 2.13, numpy).

A case names a layer, the arguments of its constructor and of its forward in PyTorch's spelling, and what PyTorch gives: outputs
and the gradients of inputs and parameters in float64, and the errors that PyTorch itself makes in float32. Parameters and inputs
are not stored: both sides compute them from the same integer hash (values() of make_golden.py).
"""
import json
import math
import pathlib

import torch

from make_golden import filled

CASES = []


class Input:
    """A tensor argument: hashed numbers, or literal data of another dtype."""

    def __init__(self, *shape, data=None, dtype=None):
        self.shape, self.data, self.dtype = list(shape), data, dtype

    def make(self, seed, dtype):
        if self.data is not None:
            tensor = torch.tensor(self.data, dtype=self.dtype)
            return tensor.to(dtype) if tensor.is_floating_point() else tensor
        return filled(self.shape, seed, 2.0, torch.float64).to(dtype).requires_grad_()

    def spec(self, seed):
        if self.data is not None:
            return {"data": spelled(self.data), "dtype": str(self.dtype).removeprefix("torch.")}
        return {"shape": self.shape, "seed": seed}


def spelled(data):
    """Infinities as text, which JSON can hold."""
    if isinstance(data, list):
        return [spelled(item) for item in data]
    return str(data) if isinstance(data, float) and math.isinf(data) else data


def mask(rows):
    return Input(data=[[c == "x" for c in row] for row in rows.split()], dtype=torch.bool)


def additive(rows):
    return Input(data=rows, dtype=torch.float64)


def tensors_of(value):
    if isinstance(value, Input):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for item in value for tensor in tensors_of(item)] if isinstance(value, (list, tuple)) else []


def literal(value, inputs):
    if isinstance(value, Input):
        return {"t": inputs.index(value)}
    if isinstance(value, dict):
        return {key: literal(item, inputs) for key, item in value.items()}
    return [literal(item, inputs) for item in value] if isinstance(value, (list, tuple)) else value


def given(value, inputs, made):
    if isinstance(value, Input):
        return made[inputs.index(value)]
    if isinstance(value, dict):
        return {key: given(item, inputs, made) for key, item in value.items()}
    return type(value)(given(item, inputs, made) for item in value) if isinstance(value, (list, tuple)) else value


def flat(results):
    if results is None:
        return []
    return [results] if isinstance(results, torch.Tensor) else [tensor for part in results for tensor in flat(part)]


def fill(layer):
    """Sets the parameters by the position of their keys in alphabetical order."""
    state = layer.state_dict()
    with torch.no_grad():
        for i, key in enumerate(sorted(state)):
            state[key].copy_(filled(list(state[key].shape), i + 1, 1.0, torch.float64))


def run(make, args, options, call, call_options, inputs, dtype, training, seed):
    layer = make(*given(args, inputs, []), **options).to(dtype).train(training)
    fill(layer)
    tensors = [one.make(100 + k, dtype) for k, one in enumerate(inputs)]
    if seed is not None:
        torch.manual_seed(seed)
    results = flat(layer(*given(call, inputs, tensors), **given(call_options, inputs, tensors)))
    total = sum((result * filled(list(result.shape), 1000 + k, 1.0, torch.float64).to(dtype)).sum() for k, result in enumerate(results))
    leaves = [tensor for tensor in tensors if tensor.requires_grad] + list(layer.parameters())
    grads = torch.autograd.grad(total, leaves)
    return layer, [result.detach().double() for result in results], [grad.double() for grad in grads]


def error(received, exact):
    """The largest error, relative to the largest number of its tensor."""
    return max(((a - b).abs().max() / b.abs().max().clamp_min(1e-3)).item() for a, b in zip(received, exact))


def numbers(tensor):
    return [float(f"{x:.11g}") for x in tensor.flatten().tolist()]


def case(layer, args, options=None, call=(), call_options=None, training=True, seed=None, make=None):
    """args, options: of the constructor; call, call_options: of forward. seed: of dropout."""
    options, call_options = options or {}, call_options or {}
    make = make or getattr(torch.nn, layer)
    inputs = list(dict.fromkeys(tensors_of([*call, call_options])))
    parts = (args, options, list(call), call_options, inputs)
    module, outputs, grads = run(make, *parts, torch.float64, training, seed)
    single = [run(make, *parts, torch.float32, training, seed)]
    with torch.backends.mkldnn.flags(enabled=False):  # other algorithms, which round differently
        single.append(run(make, *parts, torch.float32, training, seed))
    CASES.append({
        "layer": layer, "args": literal(args, inputs), "options": options, "call": literal(list(call), inputs),
        "callOptions": literal(call_options, inputs), "training": training, **({} if seed is None else {"seed": seed}),
        "inputs": [one.spec(100 + k) for k, one in enumerate(inputs)],
        "state": {key: list(tensor.shape) for key, tensor in module.state_dict().items()},
        "outputs": [{"shape": list(output.shape), "data": numbers(output)} for output in outputs],
        "gradients": [numbers(grad) for grad in grads],
        "outputError": max(error(one, outputs) for _, one, _ in single),
        "gradientError": max(error(one, grads) for _, _, one in single),
    })


def attention():
    q, k, v, x = Input(3, 2, 4), Input(4, 2, 4), Input(4, 2, 4), Input(5, 2, 4)
    causal = mask(".xxxx ..xxx ...xx ....x .....")
    padding = mask("...xx .....")
    case("MultiheadAttention", [4, 2], {}, [x, x, x])
    case("MultiheadAttention", [4, 2], {}, [q, k, v])
    case("MultiheadAttention", [4, 4], {"bias": False}, [q, k, k], {"need_weights": False})
    case("MultiheadAttention", [4, 2], {"batch_first": True}, [Input(2, 3, 4), Input(2, 4, 4), Input(2, 4, 4)],
         {"average_attn_weights": False})
    case("MultiheadAttention", [4, 2], {"kdim": 5, "vdim": 3}, [q, Input(4, 2, 5), Input(4, 2, 3)])
    case("MultiheadAttention", [4, 2], {"kdim": 5, "vdim": 3, "bias": False}, [q, Input(4, 2, 5), Input(4, 2, 3)], {"need_weights": False})
    for options in ({}, {"need_weights": False}):
        case("MultiheadAttention", [4, 2], {"add_bias_kv": True, "add_zero_attn": True}, [x, x, x],
             {**options, "attn_mask": causal, "key_padding_mask": padding})
        case("MultiheadAttention", [4, 2], {"batch_first": True}, [Input(2, 5, 4)] * 3,
             {**options, "key_padding_mask": additive([[0.0, 0.5, -1.0, 0.0, -math.inf], [0.1, 0.2, 0.3, 0.4, 0.5]])})
        case("MultiheadAttention", [4, 2], {}, [Input(5, 4)] * 3, {**options, "attn_mask": causal})
        case("MultiheadAttention", [4, 2], {"batch_first": True}, [Input(5, 4)] * 3,
             {**options, "key_padding_mask": Input(data=[False, True, False, False, True], dtype=torch.bool)})
    case("MultiheadAttention", [4, 2], {}, [x, x, x], {"attn_mask": causal, "is_causal": True, "need_weights": False})
    case("MultiheadAttention", [4, 2], {}, [x, x, x], {"attn_mask": causal, "is_causal": True})
    per_head = additive([[[0.1 * (i + 2 * j - h) for j in range(5)] for i in range(5)] for h in range(4)])
    case("MultiheadAttention", [4, 2], {}, [x, x, x], {"attn_mask": per_head, "need_weights": False})
    case("MultiheadAttention", [4, 2], {}, [x, x, x], {"attn_mask": per_head})
    case("MultiheadAttention", [4, 2], {"dropout": 0.5}, [x, x, x], training=False)
    case("MultiheadAttention", [4, 2], {"dropout": 0.3}, [x, x, x], {"need_weights": False}, seed=3)


def encoders():
    x, y = Input(4, 2, 4), Input(2, 4, 4)
    causal, padding = mask(".xxx ..xx ...x ...."), mask("..xx ....")
    plain = {"dim_feedforward": 6, "dropout": 0.0}
    case("TransformerEncoderLayer", [4, 2], plain, [x])
    case("TransformerEncoderLayer", [4, 2], {**plain, "activation": "gelu", "norm_first": True, "batch_first": True}, [y],
         {"src_key_padding_mask": padding})
    case("TransformerEncoderLayer", [4, 2], {**plain, "bias": False, "layer_norm_eps": 1e-3}, [x], {"src_mask": causal})
    case("TransformerEncoderLayer", [4, 2], {**plain}, [Input(4, 4)], {"src_mask": causal, "is_causal": True})
    case("TransformerEncoderLayer", [4, 2], {"dim_feedforward": 6}, [x], training=False)

    def encoder(model, heads, layers, norm, **options):
        layer = torch.nn.TransformerEncoderLayer(model, heads, **options)
        return torch.nn.TransformerEncoder(layer, layers, torch.nn.LayerNorm(model) if norm else None, enable_nested_tensor=False)

    case("TransformerEncoder", [4, 2, 2, True], {**plain, "batch_first": True}, [y],
         {"mask": causal, "src_key_padding_mask": padding}, make=encoder)
    case("TransformerEncoder", [4, 2, 2, False], plain, [x], make=encoder)


def recurrent():
    x, y = Input(5, 2, 3), Input(2, 5, 3)
    for layer in ("LSTM", "GRU", "RNN"):
        state = (lambda *shape: (Input(*shape), Input(*shape))) if layer == "LSTM" else (lambda *shape: Input(*shape))
        case(layer, [3, 4], {}, [x])
        case(layer, [3, 4], {"num_layers": 2, "bidirectional": True, "batch_first": True}, [y, state(4, 2, 4)])
        case(layer, [3, 4], {"num_layers": 2, "bias": False}, [x, state(2, 2, 4)])
        case(layer, [3, 4], {"bidirectional": True}, [Input(5, 3)])
        case(layer, [3, 4], {"batch_first": True}, [Input(5, 3), state(1, 4)])
        case(layer, [3, 4], {"num_layers": 3, "dropout": 0.4}, [x], training=False)
        case(layer, [3, 4], {"num_layers": 3, "dropout": 0.4}, [x], seed=3)
        case(f"{layer}Cell", [3, 4], {}, [Input(2, 3)])
        case(f"{layer}Cell", [3, 4], {"bias": False}, [Input(2, 3), state(2, 4)])
        case(f"{layer}Cell", [3, 4], {}, [Input(3), state(4)])
    case("LSTM", [3, 4], {"proj_size": 2}, [x])
    case("LSTM", [3, 4], {"proj_size": 2, "num_layers": 2, "bidirectional": True, "bias": False}, [x, (Input(4, 2, 2), Input(4, 2, 4))])
    case("RNN", [3, 4], {"nonlinearity": "relu", "num_layers": 2}, [x])
    case("RNNCell", [3, 4], {"nonlinearity": "relu"}, [Input(2, 3), Input(2, 4)])


def initial():
    """Sums of the initial weights of a seed: the same numbers are drawn in the same order."""
    made = {}
    for name, make in {
        "MultiheadAttention": lambda: torch.nn.MultiheadAttention(8, 2, add_bias_kv=True),
        "MultiheadAttention with kdim": lambda: torch.nn.MultiheadAttention(8, 2, kdim=5, vdim=3),
        "TransformerEncoderLayer": lambda: torch.nn.TransformerEncoderLayer(8, 2, dim_feedforward=12),
        "LSTM": lambda: torch.nn.LSTM(4, 6, num_layers=2, bidirectional=True, proj_size=3),
        "GRUCell": lambda: torch.nn.GRUCell(4, 6),
    }.items():
        torch.manual_seed(5)
        made[name] = {key: float(f"{tensor.double().abs().sum().item():.9g}") for key, tensor in make().state_dict().items()}
    return made


def main():
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    attention()
    encoders()
    recurrent()
    version = torch.__version__.split("+")[0]
    cases = ",\n".join(json.dumps(spec, separators=(",", ":")) for spec in CASES)
    text = f'{{"generator":"make_layers.py","torch":"{version}","values":{{"initial":{json.dumps(initial())},"cases":[\n{cases}\n]}}}}\n'
    pathlib.Path(__file__).with_name("layers.json").write_text(text)
    print(len(CASES), "cases,", len(text), "bytes")
    for spec in CASES:
        print(spec["layer"], spec["options"], spec["callOptions"].keys(), f"{spec['outputError']:.2g} {spec['gradientError']:.2g}")


if __name__ == "__main__":
    main()
