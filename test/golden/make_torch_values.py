"""
Files with what checkpoints hold besides plain tensors, in test/golden/values/: PyTorch's, safetensors, npz and pickles.
Needs PyTorch, NumPy and safetensors; the files are checked in, with their values in expected.json.
"""

import argparse
import collections
import dataclasses
import datetime
import enum
import functools
import json
import pathlib
import pickle

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "values"
FLOAT8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]


class Settings(dict):
    """A dictionary with attributes, of a class that nobody else knows."""


class Network:
    """A class with a class inside, and a method: protocol 2 refers to both by getattr."""

    class Mode(enum.Enum):
        FAST = "fast"

    def step(self):
        pass


@dataclasses.dataclass
class Config:
    width: int = 8


def names():
    """Classes and functions by name, and dictionaries with keys of all kinds, beside weights."""
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    return {
        "model": {"w": torch.tensor([1.0, 2.0])},
        "args": argparse.Namespace(type=int, name=str),
        "types": [int, float, str, bool, tuple, type(None), Exception],
        "functions": [len, print, getattr],
        "counts": collections.defaultdict(int, {"a": 1}),
        "mode": Network.Mode.FAST,
        "method": Network().step,
        "partial": functools.partial(torch.optim.SGD, lr=0.1),
        "config": Config(),
        "range": range(3),
        "optimizer": optimizer,
        "keys": {Network.Mode.FAST: 1, 1.5: 2, None: 3, ("a", Network.Mode.FAST): 4},
    }


def everything():
    settings = Settings(depth=2)
    settings.name = "small"
    return {
        "model_state_dict": {"w": torch.tensor([1.0, 2.0]), "z": torch.tensor([1 + 2j])},
        "counter": collections.Counter({30: 1, 60: 2}),
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(list, {"a": [1]}),
        "set": {3},
        "frozenset": frozenset([4]),
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"ab"),
        "device": torch.device("cuda:1"),
        "dtype": torch.bfloat16,
        "size": torch.Size([2, 3]),
        "number": np.float64(2.5),
        "integer": np.int64(-7),
        "half": np.float16(0.333251953125),
        "array": np.arange(6, dtype=">u2").reshape(2, 3, order="F"),
        "texts": np.array(["a", "bc"]),
        "objects": np.array([{"a": 1}, None], dtype=object),
        "time": datetime.datetime(2026, 11, 29, 14, 5, 6, 70),
        "date": datetime.date(2026, 1, 2),
        "big": 2**63 + 1,
        "complex": 1 + 2j,
        "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "settings": settings,
        "path": pathlib.PurePosixPath("a/b"),
        ("a", 1): "tuple as key",
        "quantized": torch.quantize_per_tensor(torch.tensor([1.0]), 0.5, 0, torch.quint8),
        "activation": torch.nn.functional.gelu,
    }


def foreign():
    tensors = {
        "uint16": torch.tensor([0, 65535], dtype=torch.uint16),
        "uint32": torch.tensor([0, 2**32 - 1], dtype=torch.uint32),
        "uint64": torch.tensor([0, 2**63 - 1], dtype=torch.uint64),
        "w": torch.tensor([1.5]),
    }
    codes = torch.arange(256, dtype=torch.uint8)
    return {**tensors, **{name: codes.clone().view(getattr(torch, name)) for name in FLOAT8}}


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.save(everything(), FOLDER / "everything.pt")
    torch.save(everything(), FOLDER / "everything-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(everything(), FOLDER / "everything-protocol4.pt", pickle_protocol=4)

    torch.save(names(), FOLDER / "names.pt")
    torch.save(names(), FOLDER / "names-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(names(), FOLDER / "names-protocol4.pt", pickle_protocol=4)
    weights = {"w": torch.tensor([1.0]), "epoch": 3, "classes": ["a", "b"], "config": Config(), "bn._extra_state": None}
    torch.save(weights, FOLDER / "mixed.pt")
    layer = lambda *row: {"weight": torch.tensor([row]), "bias": torch.zeros(1)}
    torch.save({"generator": layer(1.0, 2.0), "discriminator": layer(3.0, 4.0), "step": 3}, FOLDER / "several.pt")

    base = torch.arange(12.0).reshape(3, 4)
    shared = {"base": base, "row": base[1], "columns": base[:, ::2], "expanded": torch.ones(1).expand(2, 3)}
    torch.save(shared, FOLDER / "shared.pt")
    torch.save(shared, FOLDER / "shared-legacy.pt", _use_new_zipfile_serialization=False)
    conjugate = torch.tensor([1 + 2j, 3 - 4j]).conj()
    torch.save({"negative": conjugate.imag, "tail": conjugate.imag[1:]}, FOLDER / "negative.pt")

    torch.serialization.set_crc32_options(False)
    torch.save({"a": torch.arange(6.0)}, FOLDER / "no-crc.pt")
    torch.serialization.set_crc32_options(True)

    torch.save(foreign(), FOLDER / "foreign.pt")
    save_file({**foreign(), "complex": torch.tensor([1 + 2j])}, FOLDER / "foreign.safetensors")
    float8 = {name: [str(v) for v in foreign()[name].to(torch.float32).tolist()] for name in FLOAT8}
    (FOLDER / "expected.json").write_text(json.dumps(float8) + "\n")

    numbers = np.arange(6, dtype="u1").reshape(2, 3)
    (FOLDER / "protocol5.pkl").write_bytes(pickle.dumps({"data": numbers, "labels": [1, 2]}, protocol=5))
    np.savez(
        FOLDER / "mixed.npz",
        x=np.array([1, 2], "f4"),
        version=np.bytes_("1.0"),
        names=np.array(["a", "bc"]),
        objects=np.array([None, 1], dtype=object),
        points=np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]),
        waves=np.array([1 + 2j]),
        u2=np.array([[0, 65535]], "u2"),
        u4=np.array([2**32 - 1], ">u4"),
        u8=np.array([2**63 - 1], "u8"),
        huge=np.array([2**63], "u8"),
    )


if __name__ == "__main__":
    main()
