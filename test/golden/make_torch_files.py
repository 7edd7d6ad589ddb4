"""Writes the files of PyTorch in test/golden/torch/, and what they hold as JSON. Needs PyTorch; the files are checked in."""

import json
import pathlib

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "torch"
DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def values(tensor):
    """Nested lists of numbers; every value used here is exact in JSON."""
    return tensor.to(torch.float64).tolist()


def tensors():
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    named = {name: torch.tensor([[0, 1], [2, 3]]).to(getattr(torch, name)) for name in DTYPES}
    return {
        **named,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "transposed": base.permute(2, 0, 1),
        "sliced": base[:, 1:, ::2],
        "row": base[1, 2],
        "parameter": nn.Parameter(torch.tensor([1.0, -1.0])),
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    every = tensors()
    torch.save(every, FOLDER / "tensors.pt")

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    torch.save(state, FOLDER / "state_dict.pth")
    torch.save(state, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(model, FOLDER / "module.pt")
    checkpoint = {
        "model_state_dict": state,
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "accuracy": 0.5,
        "steps": 2**40,
        "name": "small",
        "done": False,
        "shape": torch.Size([2, 3]),
        "history": [1.5, None, (1, 2)],
    }
    torch.save(checkpoint, FOLDER / "checkpoint.pt")

    expected = {
        "tensors": {key: {"shape": list(t.shape), "values": values(t)} for key, t in every.items()},
        "state_dict": {key: {"shape": list(t.shape), "values": values(t)} for key, t in state.items()},
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
