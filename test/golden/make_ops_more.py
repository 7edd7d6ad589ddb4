"""Cases of make_ops.py: what the samples of PyTorch's operator database (make_op_db.py) do not reach."""
import torch
import torch.nn.functional as F

from make_ops import case, f, i, pos, t

L = torch.linalg


def options():
    case("x.norm", lambda x: torch.norm(x, "fro"), t(3, 4), {"p": "fro"})
    case("x.norm", lambda x: torch.norm(x, "fro", dim=(0, 2)), t(2, 3, 4), {"p": "fro", "dim": [0, 2]})
    case("x.norm", lambda x: torch.norm(x, "nuc"), t(3, 4), {"p": "nuc"})
    case("x.norm", lambda x: torch.norm(x, "nuc", dim=(1, 2), keepdim=True), t(2, 3, 4), {"p": "nuc", "dim": [1, 2], "keepdim": True})
    case("linalg.norm", lambda x: L.norm(x, "nuc"), t(3, 4), {"ord": "nuc"})
    case("linalg.cond", L.cond, t(3, 3))
    case("linalg.cond", lambda x: L.cond(x, "fro"), t(3, 3, grad=False), {"p": "fro"})
    case("linalg.eigvalsh", lambda x: L.eigvalsh(x, "U"), t(3, 3), {"UPLO": "U"})
    case("linalg.solveTriangular", lambda x, y: L.solve_triangular(x, y, upper=False, left=False), t(3, 3, shift=2.0), t(2, 3),
         {"upper": False, "left": False})
    case("x.bincount", lambda x, w: torch.bincount(x, w, 5), i([0, 1, 1, 3]), {"weights": t(4, grad=False), "minlength": 5})
    case("x.searchsorted", lambda x, v: torch.searchsorted(x, v, side="right"), i([1, 3, 5]), i([3, 4, 0]), {"side": "right"})
    case("x.searchsorted", lambda x, v, s: torch.searchsorted(x, v, sorter=s), i([5, 1, 3]), i([3, 4, 0]), {"sorter": i([1, 2, 0])})
    case("x.searchsorted", lambda x: torch.searchsorted(x, 4), i([1, 3, 5]), 4)
    case("x.div_", lambda x: x.div_(0.3, rounding_mode="floor"), t(5, grad=False), 0.3, {"roundingMode": "floor"}, inplace=True)
    case("x.indexPut_", lambda x, k: x.index_put_((k,), torch.tensor(1.5, dtype=x.dtype)), t(4), [i([0, 3])], 1.5, inplace=True)
    case("x.indexReduce_", lambda x, k, s: x.index_reduce_(0, k, s, "mean"), t(3, 2), 0, i([2, 0]), t(2, 2), {"reduce": "mean"},
         inplace=True)
    case("x.histogram", lambda x: torch.histogram(x, 4, range=(-0.5, 0.5), density=True), t(20, grad=False), 4,
         {"range": [-0.5, 0.5], "density": True})
    case("x.histogram", torch.histogram, t(20, grad=False), f([-1.0, 0.0, 0.5, 1.0]))
    case("x.polygamma", lambda x: torch.polygamma(2, x), pos(4), 2)
    case("x.pow", lambda x: x.pow(1 / 3), pos(4), 1 / 3)
    case("x.sliceScatter", lambda x, s: torch.slice_scatter(x, s, 1, 1, None, 2), t(2, 5), t(2, 2), {"dim": 1, "start": 1, "step": 2})
    case("x.indexFill_", lambda x, k, v: x.index_fill_(0, k, v), t(3, 2), 0, i([2, 0]), t(), inplace=True)
    for name in "sum prod mean nansum nanmean".split():
        case(f"x.{name}", lambda x, n=name: getattr(torch, n)(x, 0, dtype=torch.float64), f([[1.5, 2.0], [0.25, 4.0]], grad=True),
             {"dim": 0, "dtype": "float64"})
    for name in "sum prod mean".split():
        case(f"x.{name}", lambda x, n=name: getattr(torch, n)(x, dtype=torch.float32), i([[1, 2], [3, 4]]), {"dtype": "float32"})


def losses():
    weight = pos(2, 3, grad=False)
    for name, fn in (("mseLoss", F.mse_loss), ("l1Loss", F.l1_loss), ("huberLoss", F.huber_loss)):
        for reduction in "none mean sum".split():
            case(f"F.{name}", lambda x, y, w, fn=fn, r=reduction: fn(x, y, reduction=r, weight=w), t(2, 3), t(2, 3),
                 {"weight": weight, "reduction": reduction})
    for shape in ((4,), (4, 1), (1, 3), (4, 3)):
        case("F.gaussianNllLoss", lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True), t(4, 3), t(4, 3), pos(*shape), {"full": True})
    case("F.gaussianNllLoss", lambda x, y, v: F.gaussian_nll_loss(x, y, v, eps=1.0), t(3), t(3), pos(3), {"eps": 1})


def pools():
    case("F.lpPool1d", lambda x: F.lp_pool1d(x, 2, 3, 2), t(1, 2, 7), 2, 3, {"stride": 2})
    case("F.lpPool2d", lambda x: F.lp_pool2d(x, 3, (2, 3), ceil_mode=True), pos(1, 2, 5, 6), 3, [2, 3], {"ceilMode": True})


def draws():
    for hard in (False, True):
        case("F.gumbelSoftmax", lambda x, h=hard: F.gumbel_softmax(x, 0.5, h), t(3, 4), {"tau": 0.5, "hard": hard}, seed=5)
    case("F.featureAlphaDropout", lambda x: F.feature_alpha_dropout(x, 0.4, True), t(2, 5, 2, 2), {"p": 0.4, "training": True}, seed=5)


def shapes():
    case("x.broadcastTo", lambda x: torch.broadcast_to(x, (2, 3)), t(1, 3), [2, 3])
    case("x.swapaxes", lambda x: x.swapaxes(0, 2), t(2, 3, 4), 0, 2)
    case("x.swapdims", lambda x: x.swapdims(0, 2), t(2, 3, 4), 0, 2)
    case("x.moveaxis", lambda x: x.moveaxis(0, 2), t(2, 3, 4), 0, 2)
    case("x.roll", lambda x: x.roll(2), t(2, 3), 2)
    case("x.flip", lambda x: x.flip(0), t(2, 3), 0)
    case("x.squeeze", lambda x: x.squeeze((0, 2)), t(1, 2, 1), [0, 2])


def add():
    for group in (options, losses, pools, draws, shapes):
        group()
