"""Makes the expected values of test/golden from PyTorch: python make_golden.py (needs torch 2.13 and numpy).

Weights and images are not stored: both sides compute them from the same integer hash (see values() here and in
golden.test.ts). Large tensors are stored as fingerprints: sum, 2-norm, dot product with a hashed vector, a few elements.
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def values(count, seed):
    """count numbers in [-0.5, 0.5) from a 32-bit hash of their position."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) + np.uint32(seed * 1000003 & 0xFFFFFFFF)
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        x = x ^ (x >> np.uint32(16))
    return x.astype(np.float64) / 2**32 - 0.5


def filled(shape, seed, scale=1.0, dtype=torch.float32):
    return torch.from_numpy(values(math.prod(shape), seed) * scale).reshape(shape).to(dtype)


def fingerprint(tensor):
    flat = tensor.detach().double().flatten()
    dot = torch.from_numpy(values(flat.numel(), 7))
    at = [flat.numel() * i // 7 for i in range(7)] + [flat.numel() - 1]
    return {
        "shape": list(tensor.shape), "sum": flat.sum().item(), "norm": flat.norm().item(), "dot": (flat @ dot).item(),
        "elements": [flat[i].item() for i in at],
    }


class Routing(nn.Module):
    def __init__(self, channels, experts):
        super().__init__()
        hidden = max(1, channels // 4)
        self.net = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, experts, 1))
        self.register_buffer("temperature", torch.tensor(30.0))

    def forward(self, x):
        return F.softmax(self.net(F.adaptive_avg_pool2d(x, 1)).flatten(1) / self.temperature, dim=-1)


class Dynamic(nn.Module):
    def __init__(self, cin, cout, experts):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, cout, cin, 3, 3))
        self.bias = nn.Parameter(torch.empty(experts, cout))
        self.routing = Routing(cin, experts)

    def forward(self, x):
        b, c, h, w = x.shape
        a = self.routing(x)
        weight = (a @ self.weight.flatten(1)).view(-1, c, 3, 3)
        y = F.conv2d(x.reshape(1, -1, h, w), weight, (a @ self.bias).flatten(), padding=1, groups=b)
        return y.view(b, -1, h, w)


class AlexNet(nn.Module):
    def __init__(self, experts):
        super().__init__()
        conv = (lambda i, o: Dynamic(i, o, experts)) if experts else (lambda i, o: nn.Conv2d(i, o, 3, 1, 1))
        self.features = nn.Sequential(
            nn.Conv2d(3, 48, 11, 4, 5), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(48, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2),
            conv(128, 192), nn.BatchNorm2d(192), nn.ReLU(), conv(192, 192), nn.BatchNorm2d(192), nn.ReLU(),
            conv(192, 128), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(
            nn.Linear(1152, 2048), nn.ReLU(), nn.Dropout(0), nn.Linear(2048, 2048), nn.ReLU(), nn.Dropout(0),
            nn.Linear(2048, 10))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def set_weights(model):
    """Kaiming-sized hashed weights; batch-norm scales about 1; statistics left at 0 and 1."""
    with torch.no_grad():
        for i, (name, p) in enumerate(model.named_parameters()):
            shape = list(p.shape)
            if p.dim() >= 2 and not name.endswith("bias"):
                fan_in = math.prod(shape[2:] if len(shape) == 5 else shape[1:])
                p.copy_(filled(shape, i + 1, math.sqrt(24 / fan_in)))
            else:
                p.copy_(filled(shape, i + 1, 0.2) + (1 if p.dim() == 1 and name.endswith("weight") else 0))


def model_golden(experts):
    model = AlexNet(experts)
    set_weights(model)
    # In float64: in float32 the gradients of the first layers are off by up to 1e-3, which way depends on how
    # the convolution before a ReLU or a max pooling rounds a near tie.
    model.double()
    x, y = filled((4, 3, 128, 128), 100, 4.0).double(), torch.tensor([3, 0, 9, 3])
    parameters = sum(p.numel() for p in model.parameters())
    out = {"parameters": parameters, "keys": list(model.state_dict()), "eval": model.eval()(x).detach().tolist()}

    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=1e-5)
    loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
    loss.backward()
    out["loss"] = loss.item()
    out["gradients"] = {n: fingerprint(p.grad) for n, p in model.named_parameters()}
    out["statistics"] = {n: fingerprint(b) for n, b in model.named_buffers() if "running" in n}
    losses = [loss.item()]
    optimizer.step()
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    out["losses"] = losses
    out["afterThreeSteps"] = {n: fingerprint(p) for n, p in model.named_parameters()}
    out["evalAfter"] = model.eval()(x).detach().tolist()
    return out


def loss_golden():
    logits, target = filled((5, 7), 3, 6.0, torch.float64).requires_grad_(), torch.tensor([0, 6, 2, 2, 5])
    out = {}
    for smoothing in (0.0, 0.1, 0.5):
        logits.grad = None
        loss = F.cross_entropy(logits, target, label_smoothing=smoothing)
        loss.backward()
        out[str(smoothing)] = {"loss": loss.item(), "gradient": logits.grad.flatten().tolist()}
    return out


def optimizer_golden():
    cases = {
        "sgd": (torch.optim.SGD, dict(lr=0.1, weight_decay=1e-2)),
        "sgd-momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=1e-2)),
        "sgd-nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True)),
        "adam": (torch.optim.Adam, dict(lr=0.05, betas=(0.8, 0.95), weight_decay=1e-2)),
        "adamw": (torch.optim.AdamW, dict(lr=0.05, weight_decay=0.1)),
        "rmsprop": (torch.optim.RMSprop, dict(lr=0.02, alpha=0.9, weight_decay=1e-2, momentum=0.5)),
        "adagrad": (torch.optim.Adagrad, dict(lr=0.1, lr_decay=0.01, weight_decay=1e-2, initial_accumulator_value=0.1)),
    }
    out = {}
    for name, (make, options) in cases.items():
        p = filled((3, 4), 5, 2.0, torch.float64).requires_grad_()
        q = filled((4,), 6, 2.0, torch.float64).requires_grad_()
        optimizer = make([p, q], **options)
        for _ in range(3):
            optimizer.zero_grad()
            ((p @ q).sin().sum() + (p * p).sum() * 0.1).backward()
            optimizer.step()
        out[name] = {"p": p.detach().flatten().tolist(), "q": q.detach().flatten().tolist()}
    return out


def schedule_golden():
    from torch.optim import lr_scheduler as S
    cases = {
        "MultiStepLR": lambda o: S.MultiStepLR(o, [3, 6, 9], 0.1),
        "StepLR": lambda o: S.StepLR(o, 4, 0.5),
        "ExponentialLR": lambda o: S.ExponentialLR(o, 0.9),
        "CosineAnnealingLR": lambda o: S.CosineAnnealingLR(o, 12, 0.01),
        "LinearLR": lambda o: S.LinearLR(o, 0.25, 1.0, 5),
        "OneCycleLR": lambda o: S.OneCycleLR(o, 1.0, 12, cycle_momentum=False),
        "SequentialLR": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 4), S.ExponentialLR(o, 0.9)], [4]),
        "LambdaLR": lambda o: S.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
        "MultiplicativeLR": lambda o: S.MultiplicativeLR(o, lambda epoch: 0.9 if epoch % 2 else 0.8),
        "ConstantLR": lambda o: S.ConstantLR(o, 0.25, 4),
        "ChainedScheduler": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.25, 4), S.ExponentialLR(o, 0.9)]),
        "PolynomialLR": lambda o: S.PolynomialLR(o, 8, 2.0),
        "CosineAnnealingWarmRestarts": lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
        "CyclicLR": lambda o: S.CyclicLR(o, 0.1, 0.9, 3, 2, cycle_momentum=False),
        "CyclicLR-triangular2": lambda o: S.CyclicLR(o, 0.1, 0.9, 2, mode="triangular2", cycle_momentum=False),
        "CyclicLR-expRange": lambda o: S.CyclicLR(o, 0.1, 0.9, 2, mode="exp_range", gamma=0.9, cycle_momentum=False),
    }
    out = {}
    for name, make in cases.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
        scheduler = make(optimizer)
        rates = []
        for _ in range(12):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        out[name] = rates
    momenta = {
        "OneCycleLR-momentum": lambda o: S.OneCycleLR(o, 1.0, 12),
        "CyclicLR-momentum": lambda o: S.CyclicLR(o, 0.1, 0.9, 3, 2),
        "CyclicLR-triangular2-momentum": lambda o: S.CyclicLR(o, 0.1, 0.9, 2, mode="triangular2", base_momentum=0.5),
    }
    for name, make in momenta.items():
        sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4, momentum=0.9)
        adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.4)
        schedulers = [make(sgd), make(adam)]
        out[name] = []
        for _ in range(12):
            out[name].append([sgd.param_groups[0]["momentum"], adam.param_groups[0]["betas"][0]])
            for optimizer, scheduler in zip((sgd, adam), schedulers):
                optimizer.step()
                scheduler.step()
    metrics = [1.0, 0.9, 0.9, 0.91, 0.92, 0.89, 0.95, 0.95, 0.95, 0.95, 0.95, 0.5]
    for mode, threshold_mode in (("min", "rel"), ("max", "abs")):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
        scheduler = S.ReduceLROnPlateau(optimizer, mode, 0.5, 1, 1e-2, threshold_mode, 1, 0.06)
        rates = []
        for metric in metrics:
            scheduler.step(metric)
            rates.append(optimizer.param_groups[0]["lr"])
        out[f"ReduceLROnPlateau-{mode}"] = rates
    return out


def init_golden():
    """Initializers of hashed size and seed: the generators of both sides are the same."""
    cases = {
        "orthogonal": lambda x: nn.init.orthogonal_(x, 2.0), "eye": nn.init.eye_, "xavierUniform": nn.init.xavier_uniform_, "xavierNormal": nn.init.xavier_normal_,
        "kaimingUniform": lambda x: nn.init.kaiming_uniform_(x, nonlinearity="relu"), "kaimingNormal": nn.init.kaiming_normal_,
        "sparse": lambda x: nn.init.sparse_(x, 0.4),
    }
    out = {}
    for name, fill in cases.items():
        for shape in ((5, 2), (2, 5)):
            x = torch.zeros(shape, dtype=torch.float64)
            torch.manual_seed(7)
            fill(x)
            out[f"{name} {shape[0]}x{shape[1]}"] = x.flatten().tolist()
    for groups in (1, 2):
        x = torch.zeros(4, 2, 3, dtype=torch.float64)
        out[f"dirac {groups}"] = nn.init.dirac_(x, groups).flatten().tolist()
    return out


def training_golden():
    """The metrics of a whole training: accumulation, clipping, momentum, a schedule, averaged weights for validation."""
    model = nn.Sequential(Dynamic(3, 8, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    set_weights(model)
    images, labels = filled((24, 3, 6, 6), 50, 4.0), torch.arange(24) * 7 % 5 % 3
    held_out, truth = filled((12, 3, 6, 6), 51, 4.0), torch.arange(12) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2], 0.1)
    average, updates, epochs = None, 0, []
    for epoch in range(3):
        model.train()
        model[0].routing.temperature.fill_([9.0, 6.0, 3.0][epoch])
        lr, loss_sum, correct = optimizer.param_groups[0]["lr"], 0.0, 0
        for first in range(0, 24, 8):
            optimizer.zero_grad()
            for i in (first, first + 4):
                logits = model(images[i:i + 4])
                loss = F.cross_entropy(logits, labels[i:i + 4], label_smoothing=0.1)
                (loss / 2).backward()
                loss_sum += 4 * loss.item()
                correct += (logits.argmax(1) == labels[i:i + 4]).sum().item()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            decay = 0 if updates == 0 else min(0.8, (1 + updates) / (10 + updates))
            current = [p.detach().clone() for p in model.parameters()]
            average = [c if updates == 0 else a.lerp(c, 1 - decay) for a, c in zip(average or current, current)]
            updates += 1
        with torch.no_grad():
            for p, a in zip(model.parameters(), average):
                p.copy_(a)
            logits = model.eval()(held_out)
            loss = F.cross_entropy(logits, truth, label_smoothing=0.1).item()
            accuracy = (logits.argmax(1) == truth).float().mean().item()
            for p, c in zip(model.parameters(), current):
                p.copy_(c)
        scheduler.step()
        epochs.append({
            "lr": lr, "train": {"loss": loss_sum / 24, "accuracy": correct / 24},
            "val": {"loss": loss, "accuracy": accuracy},
        })
    return {"epochs": epochs, "bias": model[4].bias.tolist()}


def main():
    made = {
        "training": training_golden(),
        "models": {"alexnet": model_golden(0), "alexnet-dy": model_golden(2)},
        "labelSmoothing": loss_golden(), "optimizers": optimizer_golden(), "schedules": schedule_golden(),
        "init": init_golden(),
    }
    for name, content in made.items():
        content = {"generator": "make_golden.py", "torch": torch.__version__.split("+")[0], "values": content}
        (HERE / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
