"""Writes samples of PyTorch's operator database for every operation that dyconv has, with what PyTorch gives for them.

    python make_op_db.py FOLDER

writes all samples into FOLDER, a file for each operation, and a small part of them, chosen by a seed, into op_db.jsonl.gz.
test/ops/golden.test.ts runs that part, and with DYCONV_OP_DB=FOLDER all of them.

Needs torch 2.13 and numpy. A line is one call: PyTorch's operation, ours and its arguments (op_db_table.py), and either the
outputs, with the gradients of the inputs for known output gradients, or that PyTorch refuses the arguments. Operations of
op_db that are in no table are those that dyconv does not have; they are printed.
"""
import base64
import gzip
import hashlib
import json
import math
import pathlib
import random
import re
import sys
import types
import warnings

import torch

# The database imports a test helper that is not needed for its samples.
sys.modules.setdefault("expecttest", types.ModuleType("expecttest"))
sys.modules["expecttest"].TestCase = type("TestCase", (), {})
sys.modules["expecttest"].assert_expected_inline = None

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

from op_db_table import DRAWS, INPLACE, PICK, RANDOM, TABLE, camel  # noqa: E402

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
          torch.bool]
SEED = 20261129
MOST_ELEMENTS = 20_000
# Of the small part: samples of each operation, by kind; and the size a line may have.
KEPT = {"grad": 2, "plain": 2, "error": 1, "inplace": 1}
LONGEST_LINE = 6_000


class Skip(Exception):
    """A sample that has no counterpart: its reason."""


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def raw(tensor):
    """The elements in row-major order as bytes."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.dtype == torch.bfloat16 or flat.dtype == torch.float16:
        flat = flat.view(torch.int16)
    return base64.b64encode(flat.numpy(force=True).tobytes()).decode()


def stored(tensor):
    if tensor.dtype not in DTYPES:
        raise Skip(f"dtype {dtype_name(tensor.dtype)}")
    return {"dtype": dtype_name(tensor.dtype), "shape": list(tensor.shape), "data": raw(tensor)}


def stored_input(tensor):
    """As stored(), but with the layout: strides over the elements between the first and the last."""
    if tensor.layout != torch.strided:
        raise Skip("sparse")
    if tensor.numel() > MOST_ELEMENTS:
        raise Skip("large")
    grad = {"grad": True} if tensor.requires_grad else {}
    if tensor.is_contiguous() or tensor.numel() == 0:
        return {**stored(tensor), **grad}
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    with torch.no_grad():
        storage = tensor.detach().as_strided((span,), (1,))
        spec = stored(storage)
    return {**spec, "shape": list(tensor.shape), "strides": list(tensor.stride()), **grad}


class Arguments:
    """Turns Python's arguments into JSON; tensors are listed as inputs."""

    def __init__(self):
        self.tensors = []

    def of(self, value):
        if isinstance(value, torch.Tensor):
            self.tensors.append(value)
            return {"t": len(self.tensors) - 1}
        if isinstance(value, torch.dtype):
            return dtype_name(value)
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        if value is Ellipsis:
            return "..."
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**53 else {"bigint": str(value)}
        if isinstance(value, float):
            return value if math.isfinite(value) else {"number": {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")}
        if isinstance(value, (list, tuple)):
            return [self.of(item) for item in value]
        raise Skip(type(value).__name__)


def bind(parameters, values, named):
    """Parameters by name, as Python binds them. Lists may be given as several arguments: permute(0, 1)."""
    bound = {}
    values = list(values)
    for place, name in enumerate(parameters):
        if name.startswith("*"):
            rest = values[place:]
            bound[name[1:]] = rest[0] if len(rest) == 1 and isinstance(rest[0], (list, tuple)) else rest
            values = values[:place]
            break
    if len(values) > len(parameters):
        raise Skip("more positional arguments than the table has")
    bound.update(zip(parameters, values))
    if isinstance(bound.get("unbiased"), bool):  # its place in some signatures is that of `dim`
        bound["unbiased"] = int(bound["unbiased"])
    for name, value in named.items():
        if name not in parameters and name != "input":
            raise Skip(f"option {name}")
        bound[name if name in parameters else parameters[0]] = value
    return bound


TOKEN = re.compile(r"\s*(\?)?\{([^}]*)\}|\s*(\.\.\.)?(\w+)")
ABSENT = object()


def build(template, bound, arguments):
    """The arguments of our call."""
    call, inside = re.fullmatch(r"([\w.]+)\((.*)\)", template).groups()
    used = set()

    def take(name):
        used.add(name)
        return bound.get(name, ABSENT)

    args = []
    if call.startswith("x."):
        if not isinstance(next(iter(bound.values())), torch.Tensor):
            raise Skip("a number where a method needs its tensor")
        args.append(arguments.of(next(iter(bound.values()))))
        used.add(next(iter(bound)))
    for optional, options, spread, name in TOKEN.findall(inside):
        if name:
            value = take(name)
            if spread:
                items = value if isinstance(value, (list, tuple)) else [value]
                args.extend(arguments.of(item) for item in items)
            else:
                args.append({"undefined": True} if value is ABSENT else arguments.of(value))
            continue
        record = {}
        for entry in options.split(","):
            key, _, parameter = (part.strip() for part in entry.partition(":"))
            value = take(parameter or key)
            if value is not ABSENT and value is not None:
                record[camel(key)] = arguments.of(value)
        if record or not optional:
            args.append(record)
    while args and args[-1] == {"undefined": True}:
        args.pop()
    return call, args, used


def flattened(result):
    """The results one after the other, with their names."""
    if isinstance(result, dict):
        return list(result.items())
    if hasattr(result, "_fields"):
        return list(zip(result._fields, result))
    if type(result).__module__ == "torch.return_types":
        names = [name for name in dir(result) if not name.startswith("_") and isinstance(getattr(result, name), torch.Tensor)]
        by_id = {id(getattr(result, name)): name for name in names}
        return [(by_id.get(id(item)), item) for item in result]
    if isinstance(result, torch.Size) or (isinstance(result, (list, tuple)) and not any(isinstance(r, torch.Tensor) for r in result)):
        return [(None, list(result))]
    if isinstance(result, (list, tuple)):
        return [(None, item) for item in result]
    return [(None, result)]


def weights(tensor):
    """Output gradients that every float dtype holds exactly."""
    numbers = (torch.arange(tensor.numel()) * 7 % 13 - 6) / 4
    return numbers.reshape(tensor.shape).to(tensor.dtype)


def differentiate(results, leaves):
    outputs = [result for result in results if isinstance(result, torch.Tensor) and result.requires_grad]
    if not outputs or not leaves:
        return None
    try:
        gradients = torch.autograd.grad(outputs, leaves, [weights(output) for output in outputs], allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return "error"
    return [None if gradient is None else stored(gradient) for gradient in gradients]


def key_of(op):
    full = f"{op.name}|{op.variant_test_name}" if op.variant_test_name else op.name
    return full, TABLE.get(full, TABLE.get(op.name))


def spec_of(op, function, full, entry, sample, dtype, inplace=False):
    parameters, template = (part.strip() for part in entry.split("->"))
    parameters = [name.strip() for name in parameters.split(",")]
    if op.name == "__getitem__":
        sample = types.SimpleNamespace(input=sample.input, args=(indices(sample.args[0]),), kwargs=sample.kwargs)
    if op.name in ("unique", "unique_consecutive"):  # which always give everything
        every = {**sample.kwargs, "return_inverse": True, "return_counts": True}
        sample = types.SimpleNamespace(input=sample.input, args=sample.args, kwargs=every)
    bound = bind(parameters, [sample.input, *sample.args], sample.kwargs)
    if full in DRAWS:  # the database's function seeds the generator itself
        function = getattr(torch.Tensor, DRAWS[full])
        inplace = DRAWS[full].endswith("_")
    if inplace and not template.split("(")[0].endswith("_"):
        template = template.replace("(", "_(", 1)
    if op.name.startswith("atleast") and not isinstance(sample.input, torch.Tensor):
        raise Skip("several tensors at once")
    arguments = Arguments()
    call, args, used = build(template, bound, arguments)
    unused = {name for name, value in bound.items() if name not in used and value is not None and not ignored(name, value)}
    if unused:
        raise Skip(f"option {', '.join(sorted(unused))}")
    spec = {"op": full, "dtype": dtype_name(dtype), "call": call, "args": args, "inputs": [stored_input(t) for t in arguments.tensors]}
    if inplace:
        spec["inplace"] = True
        if isinstance(sample.input, torch.Tensor):
            first = arguments.tensors[0]
            sample = types.SimpleNamespace(input=first.detach().clone(), args=sample.args, kwargs=sample.kwargs)
            spec["inputs"][0].pop("grad", None)
    random_result = op.name in RANDOM or bool(bound.get("dropout_p"))
    if random_result:
        spec["random"] = True
    torch.manual_seed(SEED)
    try:
        result = function(sample.input, *sample.args, **sample.kwargs)
    except Exception as error:  # whatever it is: PyTorch refuses
        return {**spec, "error": f"{type(error).__name__}: {str(error).splitlines()[0][:160]}" if str(error) else type(error).__name__}
    named = flattened(result)
    pick = PICK.get(op.name)
    if pick is not None and any(name is not None for name, _ in named):
        spec["pick"] = pick
        named = [(name, item) for name, item in named if name in pick]
    results = [item for _, item in named]
    spec["outputs"] = [stored(item) if isinstance(item, torch.Tensor) else {"value": Arguments().of(item)} for item in results]
    if not inplace and not random_result:
        leaves = [tensor for tensor in arguments.tensors if tensor.requires_grad]
        gradients = differentiate(results, leaves)
        if gradients is not None:
            spec["grads"] = gradients
    return spec


def indices(index):
    """An index as a tuple; lists in it, which are tensors to PyTorch, as tensors."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(torch.tensor(part) if isinstance(part, list) else part for part in parts)


def ignored(name, value):
    """Parameters without a counterpart, at the values that change nothing."""
    harmless = {"return_inverse": (True, False), "return_counts": (True, False), "sparse_grad": (False,), "size_average": (None,),
                "reduce": (None,), "_stacklevel": (3,), "sparse": (False,), "scale_grad_by_freq": (False,), "enable_gqa": (False,),
                "max_norm": (None,), "norm_type": (2.0,), "recompute_scale_factor": (None, False), "driver": (None, "gels")}
    return name in harmless and any(value is fine or value == fine for fine in harmless[name])


def samples_of(op, dtype):
    """Samples of a dtype; of one that PyTorch does not support a few, to see that dyconv refuses them too."""
    supported = dtype in op.supported_dtypes("cpu")
    grad = supported and dtype.is_floating_point and op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    torch.manual_seed(SEED)
    random.seed(SEED)
    try:
        for place, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=grad)):
            if not supported and place == 3:
                return
            yield sample
    except Exception:
        if supported:
            raise


def cases():
    """All calls, and why samples are left out, by reason."""
    left_out, absent = {}, []
    for op in op_db:
        full, entry = key_of(op)
        if entry is None:
            absent.append(full)
            continue

        def attempt(function, sample, dtype, inplace=False):
            try:
                return spec_of(op, function, full, entry, sample, dtype, inplace)
            except Skip as reason:
                left_out[(full, str(reason))] = left_out.get((full, str(reason)), 0) + 1
                return None

        for dtype in DTYPES:
            for sample in samples_of(op, dtype):
                yield attempt(op.op, sample, dtype)
                if full in INPLACE or op.name in INPLACE:
                    yield attempt(op.inplace_variant, sample, dtype, inplace=True)
        if op.error_inputs_func is not None:
            torch.manual_seed(SEED)
            for wrong in op.error_inputs("cpu"):
                yield attempt(op.op, wrong.sample_input, torch.float32)
    print("not in the table:", " ".join(absent))
    for (name, reason), count in sorted(left_out.items()):
        print(f"left out: {name}: {count} samples: {reason}")


def kind_of(spec):
    if "error" in spec:
        return "error"
    return "inplace" if spec.get("inplace") else "grad" if isinstance(spec.get("grads"), list) else "plain"


class SmallPart:
    """For every operation a few of its short samples, by the hash of what they are: the same ones on every run."""

    def __init__(self):
        self.best = {}

    def add(self, spec, line):
        if len(line) > LONGEST_LINE or "random" in spec:
            return
        kind = kind_of(spec)
        slot = self.best.setdefault((spec["op"], kind), {})
        rank = hashlib.sha256(f"{SEED}{spec['op']}{spec['dtype']}{spec['args']}{spec['inputs']}".encode()).hexdigest()
        slot[rank] = line
        if len(slot) > KEPT[kind]:
            del slot[max(slot)]

    def lines(self):
        return [line for _, slot in sorted(self.best.items()) for _, line in sorted(slot.items())]


def write(path, lines):
    """The same bytes for the same lines."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write("".join(f"{line}\n" for line in lines).encode())


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    part, count, name, lines = SmallPart(), 0, None, []

    def finish():
        if lines:
            write(folder / f"{name.replace('|', '-')}.jsonl.gz", lines)

    for spec in cases():
        if spec is None:
            continue
        if spec["op"] != name:
            finish()
            name, lines = spec["op"], []
        line = json.dumps(spec, separators=(",", ":"))
        lines.append(line)
        part.add(spec, line)
        count += 1
    finish()
    kept = part.lines()
    write(pathlib.Path(__file__).with_name("op_db.jsonl.gz"), kept)
    print(count, "samples,", len(kept), "of them checked in")


if __name__ == "__main__":
    main()
