"""PyTorch's side of scripts/check-recipe.js: trains AlexNet or AlexNet-DY on the batches that it is sent.

For every step, standard input has a line of JSON {"lr", "temperature", "weights": path or null}, the images as float32
[B, 3, 128, 128] and the labels as int64 [B]. The answer is a line {"loss", "gradNorm"}. The files of weights are safetensors.
"""
import argparse
import json
import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from pytorch_reference import Dynamic, alexnet  # noqa: E402

# The reference is one Sequential: 18 layers of features, Flatten, then the classifier.
CLASSIFIER = 19


def load_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    dtypes = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[start:end], dtype=dtypes[entry["dtype"]]).view(entry["shape"])
    return tensors


def reference_key(key):
    """`features.8.routing.net.0.weight` as `8.routing.0.weight`; None for the temperature, which is sent with every step."""
    part, index, *rest = key.split(".")
    if rest[-1] == "temperature":
        return None
    number = int(index) + (CLASSIFIER if part == "classifier" else 0)
    return ".".join([str(number), *[word for word in rest if word != "net"]])


def set_weights(net, path):
    tensors = {reference_key(key): tensor for key, tensor in load_safetensors(path).items()}
    tensors.pop(None, None)
    net.load_state_dict(tensors)


def read(size):
    data = sys.stdin.buffer.read(size)
    if len(data) < size:
        sys.exit("the input ended within a batch")
    return bytearray(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["static", "grouped", "mix-after"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--experts", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--weight-decay", type=float, required=True)
    parser.add_argument("--label-smoothing", type=float, required=True)
    parser.add_argument("--clip", type=float, default=float("inf"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net = alexnet(args.mode, args.experts)
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=args.momentum, weight_decay=args.weight_decay)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    while line := sys.stdin.buffer.readline():
        step = json.loads(line)
        images = torch.frombuffer(read(args.batch * 3 * 128 * 128 * 4), dtype=torch.float32).view(args.batch, 3, 128, 128)
        labels = torch.frombuffer(read(args.batch * 8), dtype=torch.int64)
        if step["weights"] is not None:
            set_weights(net, step["weights"])
        for module in net.modules():
            if isinstance(module, Dynamic):
                module.temperature = step["temperature"]
        optimizer.param_groups[0]["lr"] = step["lr"]
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels, label_smoothing=args.label_smoothing)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), args.clip)
        optimizer.step()
        print(json.dumps({"loss": loss.item(), "gradNorm": norm.item()}), flush=True)


if __name__ == "__main__":
    main()
