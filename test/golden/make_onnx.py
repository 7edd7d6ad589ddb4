"""Makes ONNX files by PyTorch's two exporters, and what the networks compute: python make_onnx.py [FOLDER NAME...]

Needs torch 2.13, numpy, onnx and onnxscript. Without arguments it makes the small networks of test/golden/onnx, which are checked in; with a folder,
those that are named, by both exporters: names of timm (1.0), for which torchvision is needed too, or of SMALL. Inputs are not stored: both sides
compute them.
"""
import json
import logging
import math
import pathlib
import sys
import warnings

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
FOLDER = pathlib.Path(__file__).with_name("onnx")
BATCH = 3  # files are made from an example of 2
LR = 0.01


class Residual(nn.Module):
    """The blocks of ResNet."""

    shape = (2, 12, 12)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.conv3 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(6)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(x)))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(F.relu(y + self.downsample(x)), 1), 1))


class Mobile(nn.Module):
    """The blocks of MobileNetV3 and EfficientNet."""

    shape = (2, 10, 10)

    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(2, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.SiLU())
        self.reduce = nn.Conv2d(8, 2, 1)
        self.excite = nn.Conv2d(2, 8, 1)
        self.project = nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.drop = nn.Dropout(0.2)
        self.classifier = nn.Linear(4, 3)

    def forward(self, x):
        x = self.depthwise(self.expand(x))
        x = x * F.hardsigmoid(self.excite(F.relu6(self.reduce(x.mean((2, 3), keepdim=True)))))
        return self.classifier(self.drop(F.adaptive_avg_pool2d(self.project(x), 1).flatten(1)))


class ConvNext(nn.Module):
    """The blocks of ConvNeXt."""

    shape = (2, 8, 8)

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 2, stride=2)
        self.dw = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.norm = nn.LayerNorm(4, eps=1e-6)
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 4)
        self.gamma = nn.Parameter(torch.tensor([0.5, 1.0, -0.5, 2.0]))
        self.down = nn.Conv2d(4, 6, 2, stride=2)
        self.group = nn.GroupNorm(2, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.fc2(F.gelu(self.fc1(self.norm(self.dw(x).permute(0, 2, 3, 1)))))
        x = x + (y * self.gamma).permute(0, 3, 1, 2)
        return self.head(self.group(self.down(x)).mean((-2, -1)))


class Vision(nn.Module):
    """The blocks of a vision transformer."""

    shape = (2, 8, 8)

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(2, 8, 4, stride=4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, 8))
        self.norm1 = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.proj = nn.Linear(8, 8)
        self.norm2 = nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 12), nn.GELU(approximate="tanh"), nn.Linear(12, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))
        x = x + self.mlp(self.norm2(x))
        return self.head(x[:, 0])


class Sequence(nn.Module):
    """Recurrent layers."""

    shape = (5,)

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(6, 3, batch_first=True)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        y, _ = self.lstm(self.embedding(x))
        y, h = self.gru(y)
        return self.fc(y[:, -1]) + h[0].sum(1, keepdim=True)


class Shapes(nn.Module):
    """Views, indices, resizing."""

    shape = (4, 6, 6)

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.InstanceNorm2d(4, affine=True)
        self.slope = nn.PReLU(4)
        self.register_buffer("order", torch.tensor([2, 0, 3, 1]))

    def forward(self, x):
        x = self.slope(self.norm(self.up(x)))
        x = F.pad(x[:, self.order], (1, 2, 0, 1), mode="reflect")
        x = F.interpolate(x, scale_factor=0.5, mode="bilinear") + F.interpolate(x, size=(6, 7), mode="nearest")
        x = F.pixel_shuffle(x, 2)[:, :, ::3, 1:-1:2]
        a, b = x.chunk(2, dim=2)
        x = torch.where(a > 0, a.clamp(max=2.0), b.abs().sqrt())
        x = torch.cat([x.flip(3), F.normalize(x, dim=3)], 1).flatten(1)
        return torch.stack([x.cumsum(1).amax(1), x.topk(3, dim=1).values.sum(1), F.softmax(x, 1).std(1)], 1)


# Exporter and version of the operators of the files that are checked in.
SMALL = {
    "residual": (Residual, [("dynamo", 22)]),
    "residual-train": (Residual, [("train", 14)]),
    "mobile": (Mobile, [("classic", 15)]),
    "convnext": (ConvNext, [("dynamo", 18)]),
    "vision": (Vision, [("classic", 17), ("dynamo", 20)]),
    "sequence": (Sequence, [("classic", 16)]),
    "shapes": (Shapes, [("classic", 17), ("dynamo", 20)]),
}


def values(shape, integers):
    """The same numbers as inputsOf() of test/onnx/pytorch.ts."""
    index = torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)
    return (index * 7 % 11).long() if integers else torch.sin(index * 1.3).float()


def network_of(name):
    """A network, and the shape of one sample."""
    torch.manual_seed(1)
    if name in SMALL:
        network = SMALL[name][0]()
        shape = network.shape
    else:
        # torchvision describes its C++ operators to torch.compile; where they are missing, that fails, and nothing here needs them.
        register, torch.library.register_fake = torch.library.register_fake, lambda *_, **__: lambda function: function
        import timm

        torch.library.register_fake = register
        network = timm.create_model(name, num_classes=3)
        size = network.default_cfg["input_size"][-1] if "vit" in name else 64
        shape = (3, size, size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.5)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return network, shape


def export(network, example, kind, opset, file):
    ends = {"input_names": ["x"], "output_names": ["y"], "opset_version": opset}
    if kind == "dynamo":
        torch.onnx.export(network, (example,), file, dynamo=True, dynamic_shapes=({0: "batch"},), external_data=False, verbose=False, **ends)
    else:
        axes = {"x": {0: "batch"}, "y": {0: "batch"}}
        mode = {"training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False} if kind == "train" else {}
        torch.onnx.export(network, (example,), file, dynamo=False, dynamic_axes=axes, **mode, **ends)
    strip(file)


def strip(file):
    """Without positions in source code, shapes and names of intermediate values, and names of nodes, which nothing needs."""
    import onnx

    model = onnx.load(file)
    for item in [model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        item.doc_string = ""
        item.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    kept = {one.name for one in [*model.graph.initializer, *model.graph.input, *model.graph.output]}
    names = {}
    for node in model.graph.node:
        node.name = ""
        # Identity gives a parameter that is stored once its second name.
        if node.op_type == "Identity" and node.input[0] in kept:
            kept.update(node.output)
        for values in (node.input, node.output):
            for i, value in enumerate(values):
                if value and value not in kept:
                    values[i] = names.setdefault(value, f"v{len(names)}")
    onnx.save(model, file)


def stored(network, file):
    """The network with the state in a file: an export in training mode runs it, which changes the running statistics."""
    import onnx

    tensors = {one.name: torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in onnx.load(file).graph.initializer}
    network.load_state_dict({key: tensors.get(key, value) for key, value in network.state_dict().items()})
    return network


def trained(network, x):
    """Outputs in training mode, and in evaluation mode after one step of SGD."""
    network.train()
    before = network(x)
    before.square().sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= LR * parameter.grad
        return {"before": before.tolist(), "after": network.eval()(x).tolist()}


def main(folder, names):
    folder.mkdir(exist_ok=True)
    expected, problems = {}, []
    for name in names:
        network, shape = network_of(name)
        integers = isinstance(network, Sequence)
        kinds = SMALL[name][1] if folder == FOLDER or name.endswith("train") else [("classic", 17), ("dynamo", 20)]
        files = []
        for kind, opset in kinds:
            file = f"{name}.{kind}.onnx"
            network.train(kind == "train")
            try:
                export(network, values((2, *shape), integers), kind, opset, str(folder / file))
                files.append(file)
            except Exception as error:
                problems.append(f"{file}: {type(error).__name__}: {error}"[:2000])
        network, shape = network_of(name)
        if name.endswith("train"):
            network = stored(network, str(folder / files[0]))
        x = values((BATCH, *shape), integers)
        if not integers:
            x.requires_grad_()
        y = network.eval()(x)
        y.square().sum().backward()
        entry = {"shape": shape, "integers": integers, "files": files, "output": y.tolist()}
        if not integers:
            entry["gradient"] = x.grad.sum((2, 3)).tolist()
        if name.endswith("train"):
            entry["keys"] = sorted(key for key, _ in network.named_parameters())
            entry["trained"] = trained(stored(network_of(name)[0], str(folder / files[0])), x.detach())
        expected[name] = entry
    (folder / "expected.json").write_text(json.dumps({"generator": "make_onnx.py", "torch": torch.__version__, "networks": expected}) + "\n")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(pathlib.Path(sys.argv[1]), sys.argv[2:])
    else:
        main(FOLDER, list(SMALL))
