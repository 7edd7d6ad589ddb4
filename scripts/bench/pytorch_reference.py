"""PyTorch's side of scripts/bench.js: builds the models and does one step for every line on standard input.

  python pytorch_reference.py --batch 128 --modes static,grouped    then lines such as `train static`, `infer grouped`

Answers each line with the step's milliseconds. Modes: `static` is AlexNet; the others are AlexNet-DY, its dynamic
layers computed as `grouped` (mix the weights of every sample, one convolution with groups = batch: the article's way)
or `mix-after` (one convolution with K times the outputs, then mix), or networks of the package timm. Options follow a
mode, as in `static:amp:graph`: `channels-last`, `bfloat16` (weights and images), `amp` (bfloat16 autocast), `compile`
(torch.compile), `graph` (the steps are captured as CUDA graphs; with `compile`, torch.compile's mode "reduce-overhead").
The exception of a step is answered as text. `add` times one addition of two 1-element tensors, in microseconds; `data N`
brings N images through the training pipeline, by F.interpolate; `cpu` is the process's CPU time.
"""
import argparse
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

QUEUED = 20


class Dynamic(nn.Module):
    def __init__(self, cin, cout, experts, mode):
        super().__init__()
        hidden = max(1, cin // 4)
        self.routing = nn.Sequential(nn.Conv2d(cin, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, experts, 1))
        self.weight = nn.Parameter(torch.randn(experts, cout, cin, 3, 3) * (2 / (cin * 9)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(experts, cout))
        self.mode, self.temperature = mode, 30.0

    def forward(self, x):
        b, c, h, w = x.shape
        a = F.softmax(self.routing(F.adaptive_avg_pool2d(x, 1)).flatten(1) / self.temperature, dim=-1)
        if self.mode == "grouped":
            weight = (a @ self.weight.flatten(1)).view(-1, c, 3, 3)
            y = F.conv2d(x.reshape(1, -1, h, w), weight, (a @ self.bias).flatten(), padding=1, groups=b)
            return y.view(b, -1, h, w)
        y = F.conv2d(x, self.weight.flatten(0, 1), self.bias.flatten(), padding=1)
        return torch.bmm(a[:, None], y.reshape(b, a.shape[1], -1)).view(b, -1, h, w)


def alexnet(mode, experts):
    conv = (lambda i, o: nn.Conv2d(i, o, 3, 1, 1)) if mode == "static" else (lambda i, o: Dynamic(i, o, experts, mode))
    return nn.Sequential(
        nn.Conv2d(3, 48, 11, 4, 5), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(48, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2),
        conv(128, 192), nn.BatchNorm2d(192), nn.ReLU(), conv(192, 192), nn.BatchNorm2d(192), nn.ReLU(),
        conv(192, 128), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Linear(1152, 2048), nn.ReLU(), nn.Dropout(0.5), nn.Linear(2048, 2048), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(2048, 10))


# The names of networks in timm that have the layers and sizes of torchvision's.
TIMM = {"resnet18": "resnet18", "mobilenet_v3_small": "mobilenetv3_small_100", "efficientnet_b0": "efficientnet_b0"}


def network(mode, experts):
    if mode not in TIMM:
        return alexnet(mode, experts)
    import timm

    return timm.create_model(TIMM[mode])


OPTIONS = {"channels-last", "bfloat16", "amp", "compile", "graph"}


def build(name, args):
    mode, *options = name.split(":")
    unknown = set(options) - OPTIONS
    if unknown:
        sys.exit(f"expected options of {sorted(OPTIONS)} for {mode} but received {sorted(unknown)}")
    has = {option: option in options for option in OPTIONS}
    if has["graph"] and not args.device.startswith("cuda"):
        sys.exit(f"expected a CUDA device for {name} but received {args.device}")
    torch.manual_seed(0)
    dtype = torch.bfloat16 if has["bfloat16"] else torch.float32
    layout = torch.channels_last if has["channels-last"] else torch.contiguous_format
    net = network(mode, args.experts).to(args.device, dtype)
    if has["channels-last"]:
        # Parameters of five dimensions, those of dynamic layers, have no such layout.
        for parameter in net.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=layout)
    x = torch.randn(args.batch, 3, args.image_size, args.image_size, device=args.device, dtype=dtype)
    x = x.contiguous(memory_format=layout)
    y = torch.randint(0, 10, (args.batch,), device=args.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, weight_decay=1e-5)
    compiled = net
    if has["compile"]:
        compiled = torch.compile(net, mode="reduce-overhead" if has["graph"] else "default")

    def forward():
        with torch.autocast(args.device.split(":")[0], dtype=torch.bfloat16, enabled=has["amp"]):
            return compiled(x)

    def train():
        net.train()
        optimizer.zero_grad()
        F.cross_entropy(forward(), y, label_smoothing=0.1).backward()
        optimizer.step()

    def infer():
        net.eval()
        with torch.no_grad():
            forward()

    steps = {"train": train, "infer": infer}
    if has["graph"] and not has["compile"]:
        return {what: captured(step) for what, step in steps.items()}
    return steps


def captured(step):
    """The step as a CUDA graph, captured when it is first used: cuDNN and the optimizer get ready in ordinary steps."""
    graph = None

    def replay():
        nonlocal graph
        if graph is None:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):
                    step()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
        graph.replay()

    return replay


def timed(step, device):
    """Milliseconds of a step; on a GPU the mean of some, waited for once, as bench.js does."""
    if device == "cpu":
        start = time.perf_counter()
        step()
        return (time.perf_counter() - start) * 1e3
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(QUEUED):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3 / QUEUED


def tiny_add(calls=20000):
    a, b = torch.ones(1), torch.ones(1)
    start = time.perf_counter()
    for _ in range(calls):
        a + b
    return (time.perf_counter() - start) / calls * 1e6


def augment(images, generator):
    """Resize to 130, a random crop resized to 128, a random flip, to [-1, 1]: as torchvision's RandomResizedCrop does."""
    whole = F.interpolate(images.float(), size=(130, 130), mode="bilinear", align_corners=False)
    out = torch.empty(len(images), 3, 128, 128)
    areas = 130 * 130 * (0.08 + 0.92 * torch.rand(len(images), generator=generator))
    ratios = torch.exp((torch.rand(len(images), generator=generator) * 2 - 1) * math.log(4 / 3))
    heights = (areas / ratios).sqrt().round().clamp(1, 130).int().tolist()
    widths = (areas * ratios).sqrt().round().clamp(1, 130).int().tolist()
    places = torch.rand(len(images), 3, generator=generator).tolist()
    for i, (h, w, (y, x, flip)) in enumerate(zip(heights, widths, places)):
        top, left = int(y * (131 - h)), int(x * (131 - w))
        crop = whole[i : i + 1, :, top : top + h, left : left + w]
        crop = F.interpolate(crop, size=(128, 128), mode="bilinear", align_corners=False)[0]
        out[i] = crop.flip(-1) if flip < 0.5 else crop
    return out.div_(127.5).sub_(1)


def data(count, batch, state={}):
    if not state:
        state["generator"] = torch.Generator().manual_seed(0)
        state["images"] = torch.randint(0, 256, (4096, 3, 32, 32), dtype=torch.uint8)
    start = time.perf_counter()
    for first in range(0, count, batch):
        index = torch.randint(0, 4096, (min(batch, count - first),), generator=state["generator"])
        augment(state["images"][index], state["generator"])
    return (time.perf_counter() - start) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default="static")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--experts", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    steps = {mode: build(mode, args) for mode in args.modes.split(",") if mode}
    print(f"torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        what, _, mode = line.strip().partition(" ")
        if what == "add":
            print(tiny_add(), flush=True)
            continue
        if what == "data":
            print(data(int(mode), args.batch), flush=True)
            continue
        if what == "cpu":
            print(time.process_time() * 1e3, flush=True)
            continue
        try:
            print(timed(steps[mode][what], args.device), flush=True)
        except Exception as error:  # the other modes go on
            print(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)


if __name__ == "__main__":
    main()
