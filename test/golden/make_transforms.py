"""Results of torchvision's transforms of uint8 images, for test/data/pixels.test.ts: python3 test/golden/make_transforms.py

Needs torch 2.13 and torchvision 0.28; the compiled operations of torchvision are not used.
"""

import base64
import gzip
import json
import pathlib

import torch

library = torch.library.Library("torchvision", "DEF")
for name in ["nms", "qnms"]:
    library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
for name in ["roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool", "deform_conv2d"]:
    library.define(name + "(Tensor input) -> Tensor")

from torchvision.transforms import autoaugment  # noqa: E402
from torchvision.transforms.v2 import RandAugment  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

torch.manual_seed(1)


def picture(channels, height, width):
    """Smooth waves with a little noise, and a part of full contrast."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    planes = [127 + 90 * torch.sin(x / (3.0 + c)) * torch.cos(y / (4.0 - c)) for c in range(channels)]
    image = torch.stack(planes) + 15 * torch.randn(channels, height, width)
    image[:, 2:5, 3:9] = 255
    image[:, 6:9, 3:9] = 0
    return image.clamp(0, 255).round().to(torch.uint8)


images = [picture(3, 13, 18), picture(3, 16, 16), picture(1, 13, 11), torch.full((3, 4, 5), 77, dtype=torch.uint8)]
cases = []


def encoded(image):
    data = image.contiguous().numpy().tobytes()
    return {"shape": list(image.shape), "bytes": base64.b64encode(data).decode()}


def add(name, image, result, **parameters):
    cases.append({"name": name, "image": image, "parameters": parameters, **encoded(result)})


# The operations of the policies.
for index, image in enumerate(images):
    for interpolation, fill in [("nearest", None), ("bilinear", None), ("bilinear", [10.0]), ("nearest", [200.0])]:
        policy = RandAugment(interpolation=interpolation, fill=fill)
        operations = [("ShearX", 0.13), ("ShearX", -0.3), ("ShearY", 0.21), ("TranslateX", 4.7), ("TranslateX", -3.2)]
        operations += [("TranslateY", 5.0), ("TranslateY", -9.9), ("Rotate", 17.0), ("Rotate", -30.0), ("Identity", 0.0)]
        for operation, magnitude in operations:
            result = policy._apply_image_or_video_transform(
                image, operation, magnitude, interpolation=interpolation, fill=policy._fill
            )
            add("operation", index, result, operation=operation, magnitude=magnitude, interpolation=interpolation, fill=fill)
    policy = RandAugment()
    operations = [(name, m) for name in ["Brightness", "Color", "Contrast", "Sharpness"] for m in [0.45, -0.63, 0.9, -0.99]]
    operations += [("Posterize", float(bits)) for bits in [8, 6, 4, 1, 0]] + [("AutoContrast", 0.0), ("Equalize", 0.0)]
    operations += [("Solarize", 255.0), ("Solarize", 110.5), ("Solarize", 0.0)]
    for operation, magnitude in operations:
        given = magnitude / 255 if operation == "Solarize" else magnitude  # v2 has thresholds of 0 to 1
        result = policy._apply_image_or_video_transform(
            image, operation, given, interpolation=policy.interpolation, fill=policy._fill
        )
        add("operation", index, result, operation=operation, magnitude=magnitude, interpolation="nearest", fill=None)

# Geometry.
for index, image in enumerate(images[:3]):
    height, width = image.shape[-2:]
    for interpolation in ["nearest", "bilinear"]:
        for angle in [0, 37.5, 90, 180, 270, -20, 405]:
            for expand in [False, True]:
                result = F.rotate(image, angle, interpolation=interpolation, expand=expand)
                add("rotate", index, result, angle=angle, interpolation=interpolation, expand=expand, center=None, fill=None)
        result = F.rotate(image, 25, interpolation=interpolation, center=[4, 6.5], fill=[90.0])
        add("rotate", index, result, angle=25, interpolation=interpolation, expand=False, center=[4, 6.5], fill=[90.0])
        for angle, translate, scale, shear, center in [
            (12.5, [3, -2], 1.2, [5.0, 0.0], None),
            (-33.0, [0, 4], 0.7, [-12.0, 7.0], None),
            (5.0, [1, 1], 1.0, [3.0, -20.0], [2.0, 9.0]),
        ]:
            result = F.affine(image, angle, translate, scale, shear, interpolation=interpolation, center=center)
            add(
                "affine", index, result,
                angle=angle, translate=translate, scale=scale, shear=shear, center=center, interpolation=interpolation,
            )  # fmt: skip
        corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        moved = [[2, 3], [width - 4, 1], [width - 2, height - 5], [3, height - 2]]
        for fill in [None, [33.0]]:
            result = F.perspective(image, corners, moved, interpolation=interpolation, fill=fill)
            add("perspective", index, result, start=corners, end=moved, interpolation=interpolation, fill=fill)
    for size in [[7, 9], [11, 11]]:
        for place, result in enumerate(F.five_crop(image, size)):
            add("fiveCrop", index, result, size=size, place=place)
        add("centerCrop", index, F.center_crop(image, size), size=size)
    add("centerCrop", index, F.center_crop(image, [20, 9]), size=[20, 9])

# Filters and colors.
for index, image in enumerate(images[:3]):
    for kernel, sigma in [(3, 0.5), (5, 1.7), ([7, 3], 2.0)]:
        size = [kernel, kernel] if isinstance(kernel, int) else kernel
        # torchvision's order is [width, height]
        add("gaussianBlur", index, F.gaussian_blur(image, size[::-1], [sigma, sigma]), kernelSize=size, sigma=sigma)
    for size in [[6, 8], [5, 18], [20, 25], [13, 7], [4, 30], [16, 8]]:
        for antialias in [True, False]:
            add("resize", index, F.resize(image, size, antialias=antialias), size=size, antialias=antialias)
    if image.shape[0] == 3:
        for channels in [1, 3]:
            add("grayscale", index, F.rgb_to_grayscale(image, channels), numOutputChannels=channels)

# The magnitudes of the policies.
size = (23, 29)  # of an image
spaces = {}
for name, space in [
    ("randAugment", autoaugment.RandAugment()._augmentation_space(31, size)),
    ("trivialAugmentWide", autoaugment.TrivialAugmentWide()._augmentation_space(31)),
    ("augMix", autoaugment.AugMix()._augmentation_space(10, size)),
]:
    spaces[name] = [[op, m.double().tolist() if m.ndim else None, signed] for op, (m, signed) in space.items()]

# One AugMix with given weights: the mean of the image, its inverse and its posterized version.
chains = [images[1], F.invert(images[1]), F.posterize(images[1], 3)]
weights = [0.21, 0.44, 0.35]
mixed = sum(w * chain for w, chain in zip(weights, chains)).to(torch.uint8)
add("weightedSum", 1, mixed, weights=weights)

golden = {"images": [encoded(image) for image in images], "spaces": spaces, "size": list(size), "cases": cases}
path = pathlib.Path(__file__).parent / "transforms.json.gz"
path.write_bytes(gzip.compress(json.dumps(golden).encode(), mtime=0))
print(len(cases), "cases,", path.stat().st_size, "bytes")
