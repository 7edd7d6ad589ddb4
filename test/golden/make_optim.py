"""Makes optim.json, the expected values of test/optim, from PyTorch: python make_optim.py (needs torch 2.13 and numpy).

Every optimizer and scheduler with many configurations. The configurations are in the file, in the names of JavaScript; numbers are
in float64 unless a case says otherwise. Parameters and gradients are hashed: see values() of make_golden.py.
"""
import json
import math
import pathlib

import torch
from torch.optim import lr_scheduler as S

from make_golden import HERE, filled

torch.set_num_threads(1)

# name in JavaScript -> name in PyTorch, where they are not the same but for the case
NAMES = {"tMax": "T_max", "t0": "T_0", "tMult": "T_mult"}


def snake(name):
    return NAMES.get(name) or "".join("_" + c.lower() if c.isupper() else c for c in name)


def arguments(options):
    fixed = {"expRange": "exp_range"}
    return {snake(key): fixed.get(value, value) if isinstance(value, str) else value for key, value in options.items()}


OPTIMIZERS = [
    ("SGD", [
        {}, {"lr": 0}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "weightDecay": 0.1, "maximize": True}, {"lr": 0.1, "momentum": 0.5, "weightDecay": 0.1, "maximize": True, "nesterov": True},
    ]),
    ("Adam", [
        {}, {"lr": 0}, {"lr": 0.1, "betas": [0.5, 0.7]}, {"lr": 0.1, "betas": [0.0, 0.0]}, {"lr": 0.1, "amsgrad": True, "betas": [0.5, 0.6]}, {"lr": 0.1, "maximize": True, "weightDecay": 0.1},
        {"lr": 0.1, "amsgrad": True, "maximize": True, "eps": 0.1}, {"lr": 0.1, "weightDecay": 0.1, "decoupledWeightDecay": True},
    ]),
    ("AdamW", [{}, {"lr": 0.1, "weightDecay": 0}, {"lr": 0.1, "weightDecay": 0.2, "amsgrad": True}, {"lr": 0.1, "maximize": True}]),
    ("RMSprop", [
        {}, {"lr": 0}, {"lr": 0.1, "alpha": 0.5}, {"lr": 0.1, "centered": True}, {"lr": 0.1, "centered": True, "momentum": 0.9, "weightDecay": 0.1},
        {"lr": 0.1, "momentum": 0.5, "maximize": True}, {"lr": 0.1, "centered": True, "maximize": True, "eps": 0.1},
    ]),
    ("Adagrad", [{}, {"lr": 0}, {"lr": 0.5, "lrDecay": 0.1, "weightDecay": 0.1}, {"lr": 0.5, "initialAccumulatorValue": 0.5, "maximize": True, "eps": 0.1}]),
    ("Adadelta", [{}, {"lr": 0}, {"lr": 0.5, "rho": 0.5, "weightDecay": 0.1}, {"maximize": True, "eps": 0.1}]),
    ("Adamax", [{}, {"lr": 0}, {"lr": 0.1, "betas": [0.5, 0.7], "weightDecay": 0.1}, {"lr": 0.1, "maximize": True, "eps": 0.1}]),
    ("NAdam", [{}, {"lr": 0}, {"lr": 0.1, "betas": [0.5, 0.7], "weightDecay": 0.1, "momentumDecay": 0.1}, {"lr": 0.1, "maximize": True, "weightDecay": 0.1, "decoupledWeightDecay": True}]),
    ("Rprop", [{}, {"lr": 0}, {"lr": 0.1, "etas": [0.3, 1.5], "stepSizes": [0.05, 0.2]}, {"lr": 0.5, "maximize": True}]),
    ("RAdam", [{}, {"lr": 0}, {"lr": 0.1, "betas": [0.5, 0.9], "weightDecay": 0.1}, {"lr": 0.1, "betas": [0.5, 0.99], "maximize": True, "weightDecay": 0.1, "decoupledWeightDecay": True}]),
]

# Which of the three parameters has a gradient in a step: one begins late, one misses some.
PRESENT = [[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 1], [1, 1, 1]]


def steps(make, dtype=torch.float64):
    """Two groups, the second with a rate of its own; gradients are hashed, and of a parameter missing in some steps."""
    params = [filled(shape, seed, 2.0, dtype).requires_grad_() for seed, shape in enumerate([(3, 4), (4,), (2, 3, 2, 2)], 5)]
    optimizer = make([{"params": params[:2]}, {"params": params[2:], "lr": 0.05}])
    for i, present in enumerate(PRESENT):
        for j, p in enumerate(params):
            p.grad = filled(tuple(p.shape), 20 + 3 * i + j, 4.0, dtype) if present[j] else None
        optimizer.step()
    return [p.detach().double().flatten().tolist() for p in params]


def optimizer_cases():
    cases = []
    for name, configurations in OPTIMIZERS:
        for options in configurations:
            make = lambda groups: getattr(torch.optim, name)(groups, foreach=False, **arguments(options))
            cases.append({"optimizer": name, "options": options, "params": steps(make)})
    return cases


LBFGS = [
    {}, {"lr": 0.1, "maxIter": 3}, {"maxIter": 4, "maxEval": 3}, {"lr": 0.5, "historySize": 2, "maxIter": 7}, {"lineSearchFn": "strongWolfe"},
    {"lineSearchFn": "strongWolfe", "lr": 0.2, "historySize": 3, "maxIter": 5}, {"lineSearchFn": "strongWolfe", "maxIter": 30, "maxEval": 7}, {"toleranceGrad": 1, "maxIter": 10}, {"toleranceChange": 0.01, "lineSearchFn": "strongWolfe"},
]


def lbfgs_cases():
    """Rosenbrock's function of two parameters and a third without influence; losses and parameters after every of three steps."""
    cases = []
    for options in LBFGS:
        x = torch.tensor([[-1.2, 1.0]], dtype=torch.float64, requires_grad=True)
        y = torch.tensor([0.5, 0.7], dtype=torch.float64, requires_grad=True)
        unused = torch.ones(1, dtype=torch.float64, requires_grad=True)
        given = {key: "strong_wolfe" if value == "strongWolfe" else value for key, value in options.items()}
        optimizer = torch.optim.LBFGS([x, unused, y], **arguments(given))
        calls = 0

        def closure():
            nonlocal calls
            calls += 1
            optimizer.zero_grad()
            loss = ((y - x[0] ** 2) ** 2).sum() * 10 + ((1 - x) ** 2).sum()
            loss.backward()
            return loss

        steps = []
        for _ in range(3):
            loss = optimizer.step(closure).item()
            steps.append({"loss": loss, "calls": calls, "params": x[0].tolist() + y.tolist()})
        cases.append({"options": options, "steps": steps})
    return cases


LAMBDA = {"function": "1 / (1 + epoch)"}
FALLING = {"function": "0.9 - 0.01 * epoch"}
FUNCTIONS = {"1 / (1 + epoch)": lambda epoch: 1 / (1 + epoch), "0.9 - 0.01 * epoch": lambda epoch: 0.9 - 0.01 * epoch}

# A scheduler is [class, options]; of SequentialLR and ChainedScheduler, `schedulers` are such pairs.
SCHEDULERS = [
    ["LambdaLR", {"lrLambda": LAMBDA}], ["LambdaLR", {"lrLambda": [LAMBDA, FALLING]}], ["MultiplicativeLR", {"lrLambda": FALLING}], ["MultiplicativeLR", {"lrLambda": [FALLING, LAMBDA]}],
    ["StepLR", {"stepSize": 1}], ["StepLR", {"stepSize": 4, "gamma": 2}], ["StepLR", {"stepSize": 3, "gamma": 0}], ["MultiStepLR", {"milestones": [2, 2, 5]}], ["MultiStepLR", {"milestones": [0, 7, 3], "gamma": 0.5}],
    ["ConstantLR", {}], ["ConstantLR", {"factor": 0.5, "totalIters": 1}], ["LinearLR", {}], ["LinearLR", {"startFactor": 1, "endFactor": 0, "totalIters": 4}], ["LinearLR", {"startFactor": 0.1, "endFactor": 0.7, "totalIters": 9}],
    ["ExponentialLR", {"gamma": 0.8}], ["ExponentialLR", {"gamma": 1.1}], ["PolynomialLR", {}], ["PolynomialLR", {"totalIters": 9, "power": 0.5}], ["PolynomialLR", {"totalIters": 3, "power": 0}],
    ["CosineAnnealingLR", {"tMax": 5}], ["CosineAnnealingLR", {"tMax": 1}], ["CosineAnnealingLR", {"tMax": 4, "etaMin": 0.5}], ["CosineAnnealingLR", {"tMax": 30, "etaMin": 0.01}],
    ["CosineAnnealingWarmRestarts", {"t0": 1}], ["CosineAnnealingWarmRestarts", {"t0": 1, "tMult": 2}], ["CosineAnnealingWarmRestarts", {"t0": 4, "tMult": 3, "etaMin": 0.05}], ["CosineAnnealingWarmRestarts", {"t0": 5}],
    ["OneCycleLR", {"maxLr": 1, "totalSteps": 30}], ["OneCycleLR", {"maxLr": [1, 0.5], "totalSteps": 30, "pctStart": 0.45, "annealStrategy": "linear"}],
    ["OneCycleLR", {"maxLr": 1, "epochs": 5, "stepsPerEpoch": 6, "threePhase": True}], ["OneCycleLR", {"maxLr": 1, "totalSteps": 28, "threePhase": True, "annealStrategy": "linear", "pctStart": 0.4, "finalDivFactor": 10}],
    ["OneCycleLR", {"maxLr": 1, "totalSteps": 29, "pctStart": 0.0, "divFactor": 2}], ["OneCycleLR", {"maxLr": 1, "totalSteps": 29, "baseMomentum": [0.5, 0.6], "maxMomentum": [0.8, 0.9]}], ["OneCycleLR", {"maxLr": 0, "totalSteps": 29}],
    ["CyclicLR", {"baseLr": 0.1, "maxLr": 1, "stepSizeUp": 3, "stepSizeDown": 4}], ["CyclicLR", {"baseLr": [0, 0.1], "maxLr": [0.5, 0.6], "stepSizeUp": 2, "mode": "triangular2"}],
    ["CyclicLR", {"baseLr": 0.1, "maxLr": 0.9, "stepSizeUp": 3, "mode": "expRange", "gamma": 0.9, "baseMomentum": 0.3}], ["CyclicLR", {"baseLr": 0.1, "maxLr": 0.9, "stepSizeUp": 3, "cycleMomentum": False}],
    ["SequentialLR", {"schedulers": [["ConstantLR", {"factor": 0.1, "totalIters": 2}], ["ExponentialLR", {"gamma": 0.9}]], "milestones": [3]}],
    ["SequentialLR", {"schedulers": [["LinearLR", {"startFactor": 0.1, "totalIters": 4}], ["MultiplicativeLR", {"lrLambda": FALLING}]], "milestones": [5]}],
    ["SequentialLR", {"schedulers": [["ExponentialLR", {"gamma": 0.5}], ["MultiplicativeLR", {"lrLambda": FALLING}], ["CosineAnnealingWarmRestarts", {"t0": 2}]], "milestones": [2, 6]}],
    ["SequentialLR", {"schedulers": [["LinearLR", {}], ["CosineAnnealingLR", {"tMax": 5, "etaMin": 0.02}]], "milestones": [5]}],
    ["SequentialLR", {"schedulers": [["StepLR", {"stepSize": 1}], ["StepLR", {"stepSize": 2, "gamma": 0.5}], ["PolynomialLR", {}], ["LinearLR", {}]], "milestones": [1, 4, 8]}],
    ["SequentialLR", {"schedulers": [["LambdaLR", {"lrLambda": LAMBDA}], ["MultiStepLR", {"milestones": [1, 3]}]], "milestones": [4]}],
    ["SequentialLR", {"schedulers": [["ConstantLR", {}], ["CyclicLR", {"baseLr": 0.1, "maxLr": 1, "stepSizeUp": 2, "cycleMomentum": False}]], "milestones": [3]}],
    ["SequentialLR", {"schedulers": [["ConstantLR", {}], ["OneCycleLR", {"maxLr": 1, "totalSteps": 27}]], "milestones": [3]}],
    ["ChainedScheduler", {"schedulers": [["ConstantLR", {"factor": 0.1, "totalIters": 2}], ["ExponentialLR", {"gamma": 0.9}]]}],
    ["ChainedScheduler", {"schedulers": [["LinearLR", {}], ["CosineAnnealingLR", {"tMax": 6, "etaMin": 0.01}], ["MultiStepLR", {"milestones": [4, 5]}]]}],
    ["ChainedScheduler", {"schedulers": [["MultiplicativeLR", {"lrLambda": FALLING}], ["StepLR", {"stepSize": 3, "gamma": 0.5}]]}],
]
# Made in this order over one optimizer, and stepped one after the other.
TOGETHER = [
    [["ExponentialLR", {"gamma": 0.9}], ["MultiStepLR", {"milestones": [3, 8]}]], [["LinearLR", {}], ["CosineAnnealingLR", {"tMax": 9}]], [["ConstantLR", {}], ["StepLR", {"stepSize": 2, "gamma": 0.5}], ["ExponentialLR", {"gamma": 1.05}]],
    [["LambdaLR", {"lrLambda": LAMBDA}], ["ExponentialLR", {"gamma": 0.9}]], [["ExponentialLR", {"gamma": 0.9}], ["LambdaLR", {"lrLambda": LAMBDA}]], [["PolynomialLR", {"totalIters": 8}], ["MultiplicativeLR", {"lrLambda": FALLING}]],
    [["CosineAnnealingLR", {"tMax": 5, "etaMin": 0.1}], ["StepLR", {"stepSize": 4}]],
]
PLATEAU = [
    {"mode": mode, "thresholdMode": threshold_mode, **options}
    for mode in ("min", "max") for threshold_mode in ("rel", "abs")
    for options in ({"factor": 0.5, "patience": 0, "threshold": 0.1}, {"patience": 1, "cooldown": 2, "minLr": 1e-3}, {"factor": 0.3, "patience": 2, "threshold": 0, "minLr": [0.1, 0.01], "eps": 0.05})
]
# Steps of just the threshold, none, less, more; a NaN.
METRICS = [1, 0.9, 0.8, 0.7, 0.8, 0.9, 1, 1.1, 1.1, 1.1, 1.2000000000000002, 1.3, math.nan, 0.3, 0.2, 0.1, -0.1, -0.2, -0.2, 5]
EPOCHS = 20
RATES = [[0.4, 0.1], [0, 0.2]]


def function(value):
    if isinstance(value, list):
        return [function(one) for one in value]
    return FUNCTIONS[value["function"]] if isinstance(value, dict) else value


def scheduler(optimizer, name, options):
    options = {key: function(value) if key == "lrLambda" else value for key, value in options.items()}
    if "schedulers" in options:
        options["schedulers"] = [scheduler(optimizer, *one) for one in options["schedulers"]]
        if name == "ChainedScheduler":
            return S.ChainedScheduler(options["schedulers"], optimizer)
    return getattr(S, name)(optimizer, **arguments(options))


def two_groups(rates):
    params = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    return torch.optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(params, rates)], momentum=0.9)


def follow(rates, chosen):
    """The rates before every step, the momentum of the first group, and what happens once a rate is set by hand."""
    optimizer = two_groups(rates)
    schedulers = [scheduler(optimizer, *one) for one in chosen]
    lr, momentum, by_hand = [], [], []
    for epoch in range(EPOCHS + 6):
        if epoch == EPOCHS:
            optimizer.param_groups[0]["lr"] = 0.3
        (lr if epoch < EPOCHS else by_hand).append([group["lr"] for group in optimizer.param_groups])
        momentum.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        for one in schedulers:
            one.step()
    return {"rates": rates, "schedulers": chosen, "lr": lr, "momentum": momentum, "byHand": by_hand}


def scheduler_cases():
    return [follow(rates, chosen) for chosen in [[one] for one in SCHEDULERS] + TOGETHER for rates in RATES]


def plateau_cases():
    cases = []
    for options in PLATEAU:
        optimizer = two_groups(RATES[0])
        one = S.ReduceLROnPlateau(optimizer, **arguments(options))
        lr = []
        for metric in METRICS:
            one.step(metric)
            lr.append([group["lr"] for group in optimizer.param_groups])
        cases.append({"options": options, "lr": lr})
    return cases


def clip_cases():
    cases = []
    nan, inf = math.nan, math.inf
    for values in ([3.0, -4.0, 0.1], [nan, 1.0, 2.0], [inf, 1.0, 2.0], [0.0, 0.0, 0.0], [1e-3, 0.0, 0.0]):
        for norm_type in (2.0, 1.0, 3.0, inf):
            p = torch.zeros(3, dtype=torch.float64, requires_grad=True)
            p.grad = torch.tensor(values, dtype=torch.float64)
            norm = torch.nn.utils.clip_grad_norm_([p], 1.0, norm_type)
            cases.append({"values": values, "normType": norm_type, "norm": norm.item(), "clipped": p.grad.tolist()})
    return cases


def main():
    made = {
        "optimizers": optimizer_cases(), "lbfgs": lbfgs_cases(), "schedulers": scheduler_cases(), "metrics": METRICS, "plateau": plateau_cases(), "clip": clip_cases(),
    }
    content = {"generator": "make_optim.py", "torch": torch.__version__.split("+")[0], "values": plain(made)}
    (HERE / "optim.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def plain(value):
    """JSON has no NaN and no infinities: they are texts. Other numbers have 15 digits."""
    if isinstance(value, float):
        return float(f"{value:.15g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
