"""Cases of make_ops.py: the functional interface."""
import re

import torch
import torch.nn.functional as F

from make_ops import b, case, f, i, pos, t


def snake(name):
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda m: "_" + m[0].lower(), name)


def activations():
    for name in """relu relu6 selu mish silu gelu hardswish hardsigmoid softsign tanhshrink sigmoid tanh softplus leakyRelu elu celu
            hardtanh hardshrink softshrink rrelu glu""".split():
        case(f"F.{name}", getattr(F, snake(name)), t(2, 4, scale=7.0))
    case("F.logSigmoid", F.logsigmoid, t(2, 4, scale=7.0))
    case("F.gelu", lambda x: F.gelu(x, approximate="tanh"), t(2, 4), {"approximate": "tanh"})
    case("F.leakyRelu", lambda x: F.leaky_relu(x, 0.2), t(2, 4), {"negativeSlope": 0.2})
    case("F.elu", lambda x: F.elu(x, 0.5), t(2, 4), {"alpha": 0.5})
    case("F.celu", lambda x: F.celu(x, 0.5), t(2, 4), {"alpha": 0.5})
    case("F.softplus", lambda x: F.softplus(x, 2, 1), t(2, 4), {"beta": 2, "threshold": 1})
    case("F.hardtanh", lambda x: F.hardtanh(x, -0.2, 0.3), t(2, 4), {"minVal": -0.2, "maxVal": 0.3})
    case("F.threshold", lambda x: F.threshold(x, 0.1, -2), t(2, 4), {"threshold": 0.1, "value": -2})
    case("F.prelu", F.prelu, t(2, 3, 2), pos(3))
    case("F.glu", lambda x: F.glu(x, 0), t(4, 3), {"dim": 0})
    for name in "softmax logSoftmax softmin".split():
        case(f"F.{name}", lambda x, n=name: getattr(F, snake(n))(x, dim=1), t(2, 4), {"dim": 1})
    for name in "softmax logSoftmax".split():
        case(f"x.{name}", lambda x, n=name: getattr(F, snake(n))(x, dim=0), t(2, 4), {"dim": 0})
    case("F.dropout", lambda x: F.dropout(x, 0.4), t(3, 4), {"p": 0.4}, seed=4)
    case("F.dropout2d", lambda x: F.dropout2d(x, 0.4), t(2, 5, 2, 2), {"p": 0.4}, seed=4)
    case("F.alphaDropout", lambda x: F.alpha_dropout(x, 0.4, True), t(3, 4), {"p": 0.4, "training": True}, seed=4)
    case("F.rrelu", lambda x: F.rrelu(x, training=True), t(3, 4), {"training": True}, seed=4)


def convolutions():
    case("F.linear", F.linear, t(2, 3), t(4, 3), t(4))
    case("F.bilinear", F.bilinear, t(2, 3), t(2, 4), t(5, 3, 4), t(5))
    case("F.conv1d", lambda x, w, c: F.conv1d(x, w, c, 2, 1, 2, 2), t(2, 4, 9), t(6, 2, 3), t(6),
         {"stride": 2, "padding": 1, "dilation": 2, "groups": 2})
    case("F.conv1d", lambda x, w: F.conv1d(x, w, padding="same"), t(2, 2, 5), t(3, 2, 4), None, {"padding": "same"})
    case("F.conv2d", lambda x, w, c: F.conv2d(x, w, c, (2, 1), (1, 0), (1, 2)), t(2, 3, 6, 7), t(4, 3, 3, 2), t(4),
         {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]})
    case("F.conv3d", lambda x, w, c: F.conv3d(x, w, c, (2, 1, 1), (1, 0, 1)), t(1, 2, 4, 5, 3), t(3, 2, 3, 2, 2), t(3),
         {"stride": [2, 1, 1], "padding": [1, 0, 1]})
    case("F.convTranspose1d", lambda x, w, c: F.conv_transpose1d(x, w, c, 2, 1, 1), t(2, 3, 4), t(3, 2, 3), t(2),
         {"stride": 2, "padding": 1, "outputPadding": 1})
    case("F.convTranspose2d", lambda x, w, c: F.conv_transpose2d(x, w, c, (2, 1), (1, 0), (1, 0), 2, (1, 2)), t(1, 4, 3, 4),
         t(4, 2, 3, 2), t(4), {"stride": [2, 1], "padding": [1, 0], "outputPadding": [1, 0], "groups": 2, "dilation": [1, 2]})
    case("F.convTranspose3d", lambda x, w: F.conv_transpose3d(x, w), t(1, 2, 2, 2, 3), t(2, 2, 2, 1, 2))


def pools():
    shapes = {1: (1, 2, 7), 2: (1, 2, 5, 6), 3: (1, 2, 4, 5, 4)}
    for n, shape in shapes.items():
        case(f"F.maxPool{n}d", lambda x, n=n: getattr(F, f"max_pool{n}d")(x, 3, 2, 1, ceil_mode=True), t(*shape), 3,
             {"stride": 2, "padding": 1, "ceilMode": True})
        case(f"F.maxPool{n}d", lambda x, n=n: getattr(F, f"max_pool{n}d")(x, 2, 1, 0, 2), t(*shape), 2, {"stride": 1, "dilation": 2})
        case(f"F.avgPool{n}d", lambda x, n=n: getattr(F, f"avg_pool{n}d")(x, 3, 2, 1, False, False), t(*shape), 3,
             {"stride": 2, "padding": 1, "countIncludePad": False})
        case(f"F.avgPool{n}d", lambda x, n=n: getattr(F, f"avg_pool{n}d")(x, 2), t(*shape), 2)
        size = {1: 3, 2: [2, 3], 3: [2, 3, 1]}[n]
        case(f"F.adaptiveAvgPool{n}d", lambda x, n=n, s=size: getattr(F, f"adaptive_avg_pool{n}d")(x, s), t(*shape), size)
        case(f"F.adaptiveMaxPool{n}d", lambda x, n=n, s=size: getattr(F, f"adaptive_max_pool{n}d")(x, s), t(*shape), size)
    case("F.unfold", lambda x: F.unfold(x, (2, 3), 1, 1, (2, 1)), t(1, 2, 4, 4), [2, 3], {"padding": 1, "stride": [2, 1]})
    case("F.fold", lambda x: F.fold(x, (4, 4), 2), t(1, 8, 9), [4, 4], 2)


def resizing():
    for mode in ("constant", "reflect", "replicate", "circular"):
        case("F.pad", lambda x, m=mode: F.pad(x, (1, 2, 0, 1), m), t(1, 2, 3, 4), [1, 2, 0, 1], {"mode": mode})
    case("F.pad", lambda x: F.pad(x, (1, -1), value=3), t(2, 4), [1, -1], {"value": 3})
    inputs = {"linear": (1, 2, 5), "bilinear": (1, 2, 4, 5), "bicubic": (1, 2, 4, 5), "trilinear": (1, 1, 2, 3, 3)}
    for mode, shape in inputs.items():
        for align in (False, True):
            case("F.interpolate", lambda x, m=mode, a=align: F.interpolate(x, scale_factor=1.7, mode=m, align_corners=a),
                 t(*shape), {"scaleFactor": 1.7, "mode": mode, "alignCorners": align})
    for mode in ("nearest", "nearest-exact", "area"):
        for shape in ((1, 2, 5), (1, 2, 4, 5), (1, 1, 2, 3, 3)):
            name = "nearestExact" if mode == "nearest-exact" else mode
            case("F.interpolate", lambda x, m=mode: F.interpolate(x, scale_factor=1.7, mode=m), t(*shape),
                 {"scaleFactor": 1.7, "mode": name})
    case("F.interpolate", lambda x: F.interpolate(x, (3, 7)), t(1, 2, 4, 5), {"size": [3, 7]})
    for mode in ("bilinear", "bicubic"):
        case("F.interpolate", lambda x, m=mode: F.interpolate(x, (3, 2), mode=m, antialias=True), t(1, 1, 7, 6),
             {"size": [3, 2], "mode": mode, "antialias": True})
    for mode, padding in (("bilinear", "zeros"), ("nearest", "border"), ("bicubic", "reflection")):
        case("F.gridSample", lambda x, g, m=mode, p=padding: F.grid_sample(x, g, m, p, False), t(1, 2, 4, 4), t(1, 3, 2, 2, scale=2.6),
             {"mode": mode, "paddingMode": padding})
    case("F.affineGrid", lambda x: F.affine_grid(x, [2, 1, 2, 3], False), t(2, 2, 3), [2, 1, 2, 3])
    case("F.pixelShuffle", lambda x: F.pixel_shuffle(x, 2), t(1, 8, 2, 3), 2)
    case("F.pixelUnshuffle", lambda x: F.pixel_unshuffle(x, 2), t(1, 2, 4, 6), 2)


def norms():
    case("F.batchNorm", lambda x, w, c: F.batch_norm(x, None, None, w, c, True), t(3, 2, 2, 2),
         {"weight": t(2), "bias": t(2), "training": True})
    case("F.batchNorm", lambda x, w, c, m, v: F.batch_norm(x, m, v, w, c, False), t(3, 2, 2, 2),
         {"weight": t(2), "bias": t(2), "runningMean": f([0.1, 0.2]), "runningVar": f([1.0, 2.0])})
    case("F.layerNorm", lambda x, w, c: F.layer_norm(x, [3, 2], w, c), t(2, 3, 2), [3, 2], {"weight": t(3, 2), "bias": t(3, 2)})
    case("F.groupNorm", lambda x, w, c: F.group_norm(x, 2, w, c), t(2, 4, 3), 2, {"weight": t(4), "bias": t(4)})
    case("F.instanceNorm", lambda x, w, c: F.instance_norm(x, weight=w, bias=c), t(2, 3, 4), {"weight": t(3), "bias": t(3)})
    case("F.rmsNorm", lambda x, w: F.rms_norm(x, [4], w, 1e-3), t(2, 4), [4], {"weight": t(4), "eps": 1e-3})
    for size in (3, 2):
        case("F.localResponseNorm", lambda x, s=size: F.local_response_norm(x, s, 0.5, 0.75, 2.0), t(2, 5, 3), size,
             {"alpha": 0.5, "beta": 0.75, "k": 2})
    case("F.normalize", lambda x: F.normalize(x, 3, 0), t(3, 4), {"p": 3, "dim": 0})
    case("F.cosineSimilarity", F.cosine_similarity, t(3, 4), t(3, 4))
    case("F.pairwiseDistance", F.pairwise_distance, t(3, 4), t(3, 4))
    mask = b([[True, True, False], [True, False, True]])
    case("F.scaledDotProductAttention", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m, scale=0.7), t(1, 2, 2, 4),
         t(1, 2, 3, 4), t(1, 2, 3, 5), {"attnMask": mask, "scale": 0.7})
    case("F.scaledDotProductAttention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), t(1, 4, 2, 3),
         t(1, 2, 3, 3), t(1, 2, 3, 5), {"enableGqa": True})
    case("F.scaledDotProductAttention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), t(1, 2, 3, 4),
         t(1, 2, 3, 4), t(1, 2, 3, 4), {"isCausal": True})
    case("F.embedding", lambda k, w: F.embedding(k, w, 1), i([[0, 1], [2, 1]]), t(3, 2), {"paddingIdx": 1})
    case("F.oneHot", lambda k: F.one_hot(k, 4), i([0, 3, 1]), 4)


def losses():
    for reduction in ("none", "mean", "sum"):
        r = {"reduction": reduction}
        for name in "mseLoss l1Loss smoothL1Loss huberLoss".split():
            case(f"F.{name}", lambda x, y, n=name, r=r: getattr(F, snake(n))(x, y, **r), t(3, 4, scale=4.0), t(3, 4), r)
        case("F.klDiv", lambda x, y, r=r: F.kl_div(x, y, **r), t(3, 4), pos(3, 4), r)
        case("F.gaussianNllLoss", lambda x, y, v, r=r: F.gaussian_nll_loss(x, y, v, full=True, **r), t(3, 2), t(3, 2), pos(3, 2),
             {"full": True, **r})
    case("F.smoothL1Loss", lambda x, y: F.smooth_l1_loss(x, y, beta=0.3), t(3, 4), t(3, 4), {"beta": 0.3})
    case("F.huberLoss", lambda x, y: F.huber_loss(x, y, delta=0.3), t(3, 4), t(3, 4), {"delta": 0.3})
    case("F.klDiv", lambda x, y: F.kl_div(x, y, reduction="batchmean", log_target=True), t(3, 4), t(3, 4),
         {"reduction": "batchmean", "logTarget": True})
    share = t(3, 4, scale=0.8, shift=0.5)
    case("F.binaryCrossEntropy", lambda x, y, w: F.binary_cross_entropy(x, y, w), share, t(3, 4, scale=0.8, shift=0.5, grad=False),
         {"weight": pos(4, grad=False)})
    case("F.binaryCrossEntropyWithLogits", lambda x, y, w, p: F.binary_cross_entropy_with_logits(x, y, w, pos_weight=p), t(3, 4),
         t(3, 4, scale=0.8, shift=0.5, grad=False), {"weight": pos(4, grad=False), "posWeight": pos(4, grad=False)})
    case("F.nllLoss", lambda x, y, w: F.nll_loss(x, y, w, ignore_index=2), t(4, 3), i([0, 2, 1, 1]),
         {"weight": pos(3, grad=False), "ignoreIndex": 2})
    case("F.nllLoss", F.nll_loss, t(2, 3, 2), i([[0, 2], [1, 1]]))
    case("F.crossEntropy", lambda x, y, w: F.cross_entropy(x, y, w, label_smoothing=0.1), t(4, 3), i([0, 2, 1, 1]),
         {"weight": pos(3, grad=False), "labelSmoothing": 0.1})
    case("F.poissonNllLoss", lambda x, y: F.poisson_nll_loss(x, y, full=True), t(3, 2), f([[0.0, 3.0], [1.0, 2.0], [5.0, 0.0]]),
         {"full": True})
    sign = f([1.0, -1.0, 1.0])
    case("F.hingeEmbeddingLoss", F.hinge_embedding_loss, t(3), sign)
    case("F.marginRankingLoss", lambda x, y, z: F.margin_ranking_loss(x, y, z, 0.2), t(3), t(3), sign, {"margin": 0.2})
    case("F.cosineEmbeddingLoss", lambda x, y, z: F.cosine_embedding_loss(x, y, z, 0.2), t(3, 4), t(3, 4), sign, {"margin": 0.2})
    case("F.tripletMarginLoss", lambda x, y, z: F.triplet_margin_loss(x, y, z, swap=True), t(3, 4), t(3, 4), t(3, 4), {"swap": True})
    case("F.softMarginLoss", F.soft_margin_loss, t(3), sign)
    case("F.multiMarginLoss", F.multi_margin_loss, t(3, 4), i([0, 3, 1]))
    case("F.multilabelMarginLoss", F.multilabel_margin_loss, t(2, 3), i([[0, 2, -1], [1, -1, -1]]))
    case("F.ctcLoss", lambda x, y: F.ctc_loss(x, y, (5, 4), (2, 1)), t(5, 2, 4), i([[1, 2], [3, 0]]), [5, 4],
         [2, 1])


def add():
    for group in (activations, convolutions, pools, resizing, norms, losses):
        group()
