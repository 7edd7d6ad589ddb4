"""Makes the expected values of the networks of lib/models from torchvision: python make_models.py [NAME...]

Needs torch 2.13, torchvision 0.28 and numpy. Weights, statistics and images are not stored: both sides compute them from the
same integer hash (values() of make_golden.py). Expected are, in float64, the logits in evaluation mode, and the gradients in
evaluation and in training mode: of each its norm and its product with a hashed vector. The errors that PyTorch itself makes in
float32 in evaluation mode stand beside them. With names, only these networks are computed again.
"""
import hashlib
import json
import math
import pathlib
import sys

import torch

from make_golden import filled, values

# torchvision describes its C++ operators to torch.compile; where they are missing, as in a wheel for another libtorch, that
# fails, and classification does not need them.
torch.library.register_fake = lambda *_, **__: lambda function: function
import torchvision  # noqa: E402
import torchvision.models as zoo  # noqa: E402

FILE = pathlib.Path(__file__).with_name("zoo.json")
BATCH = 2
SIZE = 64
SEEDS = 40  # of images that are tried
FIRST_SEED = {"mobilenet_v2": 1001}  # instead of 1000, whose images have such an activation for other roundings than PyTorch's
SMOOTH = 2e-5  # gradient error that is rounding only


def resnet10(**options):
    return zoo.ResNet(zoo.resnet.BasicBlock, [1, 1, 1, 1], **options)


# Name in dyconv, with the name of a variant: how to make it, and options. Dropout is off everywhere.
NETWORKS = {
    "resnet18": (zoo.resnet18, {}),
    "resnet50": (zoo.resnet50, {}),
    "resnext50_32x4d dilated": (zoo.resnext50_32x4d, {"replace_stride_with_dilation": [False, True, True]}),
    "mobilenet_v2": (zoo.mobilenet_v2, {"dropout": 0.0}),
    "mobilenet_v2 narrow": (zoo.mobilenet_v2, {"dropout": 0.0, "width_mult": 0.35}),
    "mobilenet_v3_small": (zoo.mobilenet_v3_small, {"dropout": 0.0}),
    "mobilenet_v3_small narrow": (
        zoo.mobilenet_v3_small, {"dropout": 0.0, "width_mult": 0.5, "reduced_tail": True, "dilated": True}),
    "mobilenet_v3_large": (zoo.mobilenet_v3_large, {"dropout": 0.0}),
    "squeezenet1_0": (zoo.squeezenet1_0, {"dropout": 0.0}),
    "squeezenet1_1": (zoo.squeezenet1_1, {"dropout": 0.0}),
    "densenet121": (zoo.densenet121, {}),
    "convnext_tiny": (zoo.convnext_tiny, {"stochastic_depth_prob": 0.0}),
    "vit_b_16": (zoo.vit_b_16, {"image_size": SIZE, "representation_size": 24}),
    "efficientnet_b0": (zoo.efficientnet_b0, {"dropout": 0.0, "stochastic_depth_prob": 0.0}),
}

# Networks of which only the keys and shapes of the state are compared, with 1000 classes.
STATES = {
    "vit_b_16": zoo.vit_b_16,
    "resnet10": resnet10,
    "torchvision_alexnet": zoo.alexnet,
    "vgg11": zoo.vgg11, "vgg13": zoo.vgg13, "vgg16_bn": zoo.vgg16_bn, "vgg19": zoo.vgg19,
    **{
        name: getattr(zoo, name)
        for name in (
            "resnet34", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
            "wide_resnet50_2", "wide_resnet101_2")
    },
}


def fill(model):
    """Sets parameters and statistics by the position of their keys in alphabetical order."""
    state = model.state_dict()
    for i, key in enumerate(sorted(state)):
        tensor = state[key]
        shape = list(tensor.shape)
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_var"):
            filled_values = filled(shape, i + 1, 0.5) + 1
        elif key.endswith("layer_scale"):
            filled_values = filled(shape, i + 1, 0.5)
        elif len(shape) >= 2 and not key.endswith("bias"):
            filled_values = filled(shape, i + 1, math.sqrt(24 / math.prod(shape[1:])))
        else:
            filled_values = filled(shape, i + 1, 0.2) + (1 if key.endswith("weight") else 0)
        tensor.copy_(filled_values)


def gradients(model, images):
    """Gradients of a weighted sum of the logits, by key, as float64.

    A sum, because the gradient of a cross entropy multiplies the error of large logits, for all parameters alike.
    """
    model.zero_grad()
    logits = model(images)
    (logits * filled(list(logits.shape), 3).to(logits)).sum().backward()
    return {key: parameter.grad.double() for key, parameter in model.named_parameters()}


def logits_and_gradients(model, images):
    """In evaluation mode: the logits, and the gradients of the first image alone."""
    model.eval()
    with torch.no_grad():
        logits = model(images).double()
    return logits, gradients(model, images[:1])


def project(gradients_):
    vector = torch.from_numpy(values(max(g.numel() for g in gradients_.values()), 7))
    return {key: (g.flatten() @ vector[: g.numel()]).item() for key, g in gradients_.items()}


def norms_of(gradients_):
    return {key: g.norm().item() for key, g in gradients_.items()}


def gradient_error(received, exact):
    """Root mean square over the parameters of the projections' errors, each relative to the gradient's norm."""
    norms = norms_of(exact)
    floor = 1e-3 * math.hypot(*norms.values())
    received, expected = project(received), project(exact)
    errors = [(received[key] - expected[key]) / max(norms[key], floor) for key in expected]
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def stored(gradients_):
    norms, projections = norms_of(gradients_), project(gradients_)
    return {key: [digits(norms[key]), digits(projections[key])] for key in gradients_}


def describe_state(model):
    lines = "\n".join(sorted(f"{key} {list(tensor.shape)}" for key, tensor in model.state_dict().items()))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tensors": len(model.state_dict()),
        "state": hashlib.sha256(lines.encode()).hexdigest(),
    }


def digits(value):
    return float(f"{value:.10g}")


def compute(name, make, options):
    """The results for the images, of several seeds, on which float32 is most exact.

    A deep network has so many activations that some are zero but for rounding; then float32 puts them on the other side of a
    ReLU, and the gradients of any two implementations differ by far more than rounding.
    """
    found = []
    first = FIRST_SEED.get(name, 1000)
    for seed in range(first, first + SEEDS):
        found.append(compute_once(make, options, seed))
        if found[-1]["gradientError"] < SMOOTH:
            break
    return min(found, key=lambda result: result["gradientError"])


def compute_once(make, options, seed):
    model = make(num_classes=10, **options)
    fill(model)
    images = filled([BATCH, 3, SIZE, SIZE], seed, 4)
    float32 = [logits_and_gradients(model, images)]
    with torch.backends.mkldnn.flags(enabled=False):  # other algorithms, which round differently
        float32.append(logits_and_gradients(model, images))
    model.double()
    images = images.double()
    logits, exact = logits_and_gradients(model, images)
    return {
        **describe_state(model),
        "seed": seed,
        "logits": [[digits(x) for x in row] for row in logits.tolist()],
        "logitError": max(((other - logits).abs().max() / logits.abs().max()).item() for other, _ in float32),
        "gradients": stored(exact),
        "gradientError": max(gradient_error(other, exact) for _, other in float32),
        "trainingGradients": stored(gradients(model.train(), images)),
    }


def main(only):
    torch.backends.mha.set_fastpath_enabled(False)
    values_ = json.loads(FILE.read_text())["values"] if only else {"networks": {}, "states": {}}
    for name, (make, options) in NETWORKS.items():
        if only and name.split()[0] not in only:
            continue
        values_["networks"][name] = compute(name, make, options)
        print(name, *(f"{values_['networks'][name][e]:.3g}" for e in ("seed", "logitError", "gradientError")), flush=True)
    with torch.device("meta"):
        for name, make in STATES.items():
            values_["states"][name] = describe_state(make())
    head = {"generator": "make_models.py", "torch": torch.__version__, "torchvision": torchvision.__version__}
    FILE.write_text(json.dumps({**head, "values": values_}, indent=0) + "\n")


if __name__ == "__main__":
    main(set(sys.argv[1:]))
