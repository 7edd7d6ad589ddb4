"""Cases of make_ops.py: methods of Tensor, factories, linalg."""
import re

import torch

from make_ops import b, case, f, i, pos, t

INF = float("inf")


def snake(name):
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda m: "_" + m[0].lower(), name)


def pointwise():
    for name in """neg abs sign exp expm1 exp2 square reciprocal sin cos tan tanh sinh cosh atan asinh erf erfc sigmoid
            relu floor ceil round trunc frac isnan isfinite isinf signbit sinc deg2rad rad2deg logicalNot""".split():
        case(f"x.{name}", getattr(torch, snake(name)), t(2, 3, scale=3.0))
    for name in "log log1p log2 log10 rsqrt lgamma digamma acosh sqrt".split():
        shift = 2.0 if name == "acosh" else 1.0
        case(f"x.{name}", getattr(torch, name), t(2, 3, scale=1.0, shift=shift))
    for name in "asin acos atanh erfinv".split():
        case(f"x.{name}", getattr(torch, name), t(2, 3, scale=1.5))
    case("x.isnan", torch.isnan, f([1.0, float("nan"), INF]))
    case("x.isinf", torch.isinf, f([1.0, float("nan"), INF]))
    case("x.isfinite", torch.isfinite, f([1.0, float("nan"), INF]))
    case("x.nanToNum", lambda x: torch.nan_to_num(x, 1.0, 2.0, -2.0), f([3.0, float("nan"), INF, -INF], grad=True),
         {"nan": 1, "posinf": 2, "neginf": -2})
    case("x.logit", torch.logit, t(5, scale=0.8, shift=0.5))
    case("x.logit", lambda x: torch.logit(x, 0.2), t(5, scale=0.8, shift=0.5), {"eps": 0.2})
    case("x.bitwiseNot", torch.bitwise_not, i([0, 5, -7]))
    case("x.logicalNot", torch.logical_not, i([0, 5, -7]))

    for name in "mul div atan2 maximum minimum fmax fmin fmod remainder hypot logaddexp copysign".split():
        case(f"x.{name}", getattr(torch, name), t(2, 3, scale=4.0), t(3, scale=1.0, shift=1.0))
    for name in "eq ne lt le gt ge logicalAnd logicalOr logicalXor".split():
        case(f"x.{name}", getattr(torch, snake(name)), f([0.0, 1.0, 2.0, -1.0]), f([0.0, 0.0, 2.0, 3.0]))
        case(f"x.{name}", lambda x, n=name: getattr(torch, snake(n))(x, torch.tensor(1)), i([0, 1, 2]), 1)
    for name in "bitwiseAnd bitwiseOr bitwiseXor bitwiseLeftShift bitwiseRightShift floorDivide remainder fmod".split():
        case(f"x.{name}", getattr(torch, snake(name)), i([13, 6, -9]), i([3, 1, 2]))
    case("x.floorDivide", torch.floor_divide, t(2, 3, scale=9.0, grad=False), pos(3, grad=False))
    case("x.xlogy", torch.xlogy, t(4), pos(4))
    case("x.heaviside", torch.heaviside, f([-1.0, 0.0, 2.0]), f([0.5, 0.25, 0.125]))
    case("x.add", lambda x, y: torch.add(x, y, alpha=0.5), t(2, 3), t(3), {"alpha": 0.5})
    case("x.add", lambda x: x + 2, i([1, 2]), 2)
    case("x.sub", lambda x, y: torch.sub(x, y, alpha=3), t(2, 1), t(1, 3), {"alpha": 3})
    case("x.div", lambda x: x / 2, i([1, 4]), 2)
    case("x.div", lambda x, y: torch.div(x, y, rounding_mode="floor"), i([7, -7]), i([2, 2]), {"roundingMode": "floor"})
    case("x.div", lambda x, y: torch.div(x, y, rounding_mode="trunc"), t(4, scale=9.0), pos(4), {"roundingMode": "trunc"})
    case("x.pow", torch.pow, pos(3), t(2, 3))
    case("x.pow", lambda x: x**3, t(4), 3)
    case("x.lerp", lambda x, y: torch.lerp(x, y, 0.3), t(2, 3), t(2, 3), 0.3)
    case("x.lerp", torch.lerp, t(2, 3), t(2, 3), t(3))
    case("x.addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), t(3), t(2, 3), t(3), {"value": 0.5})
    case("x.addcdiv", lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), t(3), t(2, 3), pos(3), {"value": 0.5})
    case("x.clamp", lambda x: x.clamp(-0.3, 0.4), t(8), {"min": -0.3, "max": 0.4})
    case("x.clamp", lambda x, y, z: x.clamp(y, z), t(2, 3), {"min": t(3, shift=-1.0), "max": t(3, shift=1.0)})
    case("x.isclose", torch.isclose, f([1.0, 2.0]), f([1.0 + 1e-7, 2.1]))
    case("x.allclose", torch.allclose, f([1.0, 2.0]), f([1.0 + 1e-7, 2.0]))
    case("x.equal", torch.equal, f([1.0, 2.0]), f([1.0, 2.5]))
    case("where", torch.where, b([[True], [False]]), t(2, 3), t(3))


def in_place():
    for name in "neg abs exp square sigmoid tanh relu floor ceil round".split():
        case(f"x.{name}_", lambda x, n=name: getattr(torch, n + "_")(x), t(2, 3, scale=3.0), inplace=True)
    for name in "log sqrt rsqrt reciprocal".split():
        case(f"x.{name}_", lambda x, n=name: getattr(x, n + "_")(), pos(2, 3), inplace=True)
    case("x.add_", lambda x, y: x.add_(y, alpha=2), t(2, 3), t(3), {"alpha": 2}, inplace=True)
    case("x.sub_", lambda x, y: x.sub_(y, alpha=2), t(2, 3), t(3), {"alpha": 2}, inplace=True)
    case("x.mul_", lambda x, y: x.mul_(y), t(2, 3), t(3), inplace=True)
    case("x.div_", lambda x, y: x.div_(y), t(2, 3), pos(3), inplace=True)
    case("x.pow_", lambda x: x.pow_(2), t(2, 3), 2, inplace=True)
    case("x.clamp_", lambda x: x.clamp_(-0.3, 0.4), t(8), {"min": -0.3, "max": 0.4}, inplace=True)
    case("x.lerp_", lambda x, y: x.lerp_(y, 0.3), t(2, 3), t(2, 3), 0.3, inplace=True)
    case("x.addcmul_", lambda x, y, z: x.addcmul_(y, z, value=0.5), t(3), t(3), t(3), {"value": 0.5}, inplace=True)
    case("x.addcdiv_", lambda x, y, z: x.addcdiv_(y, z, value=0.5), t(3), t(3), pos(3), {"value": 0.5}, inplace=True)
    case("x.fill_", lambda x: x.fill_(3), t(3), 3, inplace=True)
    case("x.zero_", lambda x: x.zero_(), t(3), inplace=True)
    case("x.copy_", lambda x, y: x.copy_(y), t(2, 3), t(3), inplace=True)
    case("x.fillDiagonal_", lambda x: x.fill_diagonal_(7), t(3, 3), 7, inplace=True)


def reductions():
    for name in "sum mean prod amax amin std var nansum nanmean logsumexp norm".split():
        if name != "logsumexp":
            case(f"x.{name}", lambda x, n=name: getattr(x, n)(), t(3, 4))
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(dim=1, keepdim=True), t(3, 4), {"dim": 1, "keepdim": True})
    case("x.sum", lambda x: x.sum((0, 2)), t(2, 3, 4), {"dim": [0, 2]})
    case("x.sum", lambda x: x.sum(), i([1, 2, 3]))
    case("x.var", lambda x: x.var(0, correction=0), t(3, 4), {"dim": 0, "correction": 0})
    case("x.std", lambda x: x.std(0, correction=0), t(3, 4), {"dim": 0, "correction": 0})
    case("x.varMean", lambda x: torch.var_mean(x, 0), t(3, 4), {"dim": 0})
    case("x.norm", lambda x: torch.linalg.vector_norm(x, 3, 0), t(3, 4), {"p": 3, "dim": 0})
    case("x.nansum", lambda x: x.nansum(), f([1.0, float("nan"), 2.0]))
    case("x.nanmean", lambda x: x.nanmean(), f([1.0, float("nan"), 2.0]))
    for name in "argmax argmin".split():
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(dim=1), t(3, 4), {"dim": 1})
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(), t(3, 4))
    for name in "max min median nanmedian".split():
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(), t(3, 4))
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(dim=1, keepdim=True), t(3, 4), {"dim": 1, "keepdim": True})
    case("x.aminmax", lambda x: torch.aminmax(x, dim=0), t(3, 4), {"dim": 0})
    case("x.mode", lambda x: torch.mode(x, 1), f([[1.0, 2.0, 2.0], [3.0, 1.0, 3.0]], grad=True))
    case("x.kthvalue", lambda x: torch.kthvalue(x, 2, 0), t(4, 3), 2, {"dim": 0})
    case("x.quantile", lambda x: torch.quantile(x, 0.3, 1), t(3, 5), 0.3, {"dim": 1})
    case("x.quantile", lambda x: torch.quantile(x, torch.tensor([0.1, 0.9], dtype=x.dtype), interpolation="midpoint"), t(9),
         [0.1, 0.9], {"interpolation": "midpoint"})
    for name in "all any".split():
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(), b([[True, False], [True, True]]))
        case(f"x.{name}", lambda x, n=name: getattr(x, n)(dim=1), b([[False, False], [True, True]]), {"dim": 1})
    case("x.countNonzero", lambda x: torch.count_nonzero(x, 0), i([[0, 1], [2, 3]]), {"dim": 0})
    case("x.countNonzero", torch.count_nonzero, i([[0, 1], [2, 3]]))
    case("x.dist", lambda x, y: torch.dist(x, y, 3), t(4), t(4), {"p": 3})
    for name in "cumsum cumprod logcumsumexp cummax cummin".split():
        case(f"x.{name}", lambda x, n=name: getattr(torch, n)(x, 1), t(3, 4), {"dim": 1})
    case("x.diff", lambda x: torch.diff(x, 2, 0), t(4, 3), {"n": 2, "dim": 0})
    case("x.sort", lambda x: torch.sort(x, 0, True), t(4, 3), {"dim": 0, "descending": True})
    case("x.topk", lambda x: torch.topk(x, 2, 1, False), t(3, 5), 2, {"dim": 1, "largest": False})
    case("x.argsort", lambda x: torch.argsort(x, dim=1, descending=True, stable=True), t(3, 5),
         {"dim": 1, "descending": True, "stable": True})
    case("x.unique", lambda x: torch.unique(x, True, True, True), i([3, 1, 3, 2]))
    case("x.unique", lambda x: torch.unique(x, True, True, True, dim=0), i([[1, 2], [0, 1], [1, 2]]), {"dim": 0})
    case("x.uniqueConsecutive", lambda x: torch.unique_consecutive(x, True, True), i([3, 3, 1, 3]))
    case("x.searchsorted", lambda x, v: torch.searchsorted(x, v, right=True), i([1, 3, 5]), i([3, 4, 0]), {"right": True})
    case("x.bucketize", torch.bucketize, i([3, 4, 0]), i([1, 3, 5]))
    case("x.histc", lambda x: torch.histc(x, 4, -1, 1), t(20, grad=False), {"bins": 4, "min": -1, "max": 1})
    case("x.bincount", lambda x: torch.bincount(x, minlength=5), i([0, 1, 1, 3]), {"minlength": 5})
    case("x.isin", torch.isin, i([1, 2, 3]), i([2, 5]))
    case("x.nonzero", torch.nonzero, i([[0, 1], [2, 0]]))


def matrices():
    case("x.matmul", torch.matmul, t(2, 3, 4), t(4, 2))
    case("x.mm", torch.mm, t(2, 3), t(3, 4))
    case("x.bmm", torch.bmm, t(2, 3, 4), t(2, 4, 2))
    case("x.mv", torch.mv, t(2, 3), t(3))
    case("x.dot", torch.dot, t(3), t(3))
    case("x.outer", torch.outer, t(2), t(3))
    case("x.kron", torch.kron, t(2, 2), t(2, 3))
    case("x.addmm", lambda x, y, z: torch.addmm(x, y, z, beta=0.5, alpha=2), t(2, 4), t(2, 3), t(3, 4), {"beta": 0.5, "alpha": 2})
    case("x.baddbmm", torch.baddbmm, t(2, 2, 4), t(2, 2, 3), t(2, 3, 4))
    case("x.cross", torch.linalg.cross, t(2, 3), t(2, 3))
    case("x.tensordot", lambda x, y: torch.tensordot(x, y, 1), t(2, 3), t(3, 4), {"dims": 1})
    case("x.tensordot", lambda x, y: torch.tensordot(x, y, ([0], [1])), t(2, 3), t(4, 2), {"dims": [[0], [1]]})
    case("x.cdist", torch.cdist, t(3, 2), t(4, 2))
    case("einsum", lambda x, y: torch.einsum("bi,oi->bo", x, y), "bi,oi->bo", t(2, 3), t(4, 3))
    case("x.inverse", torch.inverse, t(3, 3))
    case("x.det", torch.det, t(2, 3, 3))
    case("x.trace", torch.trace, t(3, 3))
    case("x.diag", lambda x: torch.diag(x, 1), t(3, 3), 1)
    case("x.diagonal", lambda x: torch.diagonal(x, 1, 1, 2), t(2, 3, 4), {"offset": 1, "dim1": 1, "dim2": 2})
    case("x.diagEmbed", torch.diag_embed, t(2, 3))
    case("x.tril", lambda x: x.tril(-1), t(3, 3), -1)
    case("x.triu", lambda x: x.triu(1), t(3, 3), 1)
    case("trilIndices", lambda: torch.tril_indices(3, 4, 1), 3, 4, {"offset": 1})
    case("triuIndices", lambda: torch.triu_indices(3, 4, 1), 3, 4, {"offset": 1})
    L = torch.linalg
    case("linalg.inv", L.inv, t(2, 3, 3))
    case("linalg.pinv", L.pinv, t(4, 3))
    case("linalg.det", L.det, t(3, 3))
    case("linalg.slogdet", lambda x: tuple(L.slogdet(x)), t(3, 3))
    case("linalg.solve", L.solve, t(3, 3), t(3, 2))
    case("linalg.solveTriangular", lambda x, y: L.solve_triangular(x, y, upper=True), t(3, 3, shift=2.0), t(3, 2), {"upper": True})
    case("linalg.lstsq", lambda x, y: L.lstsq(x, y).solution, t(4, 3), t(4, 2), pick=["solution"])
    case("linalg.cholesky", lambda x: L.cholesky(x), f([[4.0, 1.0], [1.0, 3.0]], grad=True))
    case("linalg.qr", lambda x: L.qr(x).R, t(4, 3), pick=["R"])
    case("linalg.svd", lambda x: L.svd(x).S, t(4, 3), pick=["S"])
    case("linalg.svdvals", L.svdvals, t(4, 3))
    case("linalg.eigh", lambda x: L.eigh(x).eigenvalues, t(3, 3), pick=["eigenvalues"])
    case("linalg.eigvalsh", L.eigvalsh, t(3, 3))
    case("linalg.matrixRank", L.matrix_rank, f([[1.0, 2.0], [2.0, 4.0]]))
    case("linalg.matrixPower", lambda x: L.matrix_power(x, 3), t(3, 3), 3)
    case("linalg.matrixExp", L.matrix_exp, t(3, 3))
    case("linalg.multiDot", lambda *x: L.multi_dot(x), [t(2, 3), t(3, 4), t(4, 2)])
    case("linalg.vectorNorm", lambda x: L.vector_norm(x, 3), t(4), {"p": 3})
    case("linalg.matrixNorm", L.matrix_norm, t(2, 3, 4))
    case("linalg.matrixNorm", lambda x: L.matrix_norm(x, INF), t(2, 3, 4), {"p": INF})


def shapes():
    case("x.reshape", lambda x: x.reshape(3, -1), t(2, 3, 2), [3, -1])
    case("x.view", lambda x: x.view(6, 2), t(2, 3, 2), [6, 2])
    case("x.permute", lambda x: x.permute(2, 0, 1), t(2, 3, 2), [2, 0, 1])
    case("x.transpose", lambda x: x.transpose(0, 2), t(2, 3, 2), 0, 2)
    case("x.flatten", lambda x: x.flatten(1), t(2, 3, 2), 1)
    case("x.squeeze", lambda x: x.squeeze(1), t(2, 1, 2), 1)
    case("x.unsqueeze", lambda x: x.unsqueeze(1), t(2, 2), 1)
    case("x.expand", lambda x: x.expand(2, 3), t(2, 1), [2, 3])
    case("x.expandAs", lambda x, y: x.expand_as(y), t(2, 1), t(2, 3, grad=False))
    case("x.viewAs", lambda x, y: x.view_as(y), t(2, 3), t(6, grad=False))
    case("x.repeat", lambda x: x.repeat(2, 2), t(2, 3), [2, 2])
    case("x.tile", lambda x: x.tile(2), t(2, 3), [2])
    case("x.flip", lambda x: x.flip(1), t(2, 3), [1])
    case("x.roll", lambda x: x.roll(1, 1), t(2, 3), [1], [1])
    case("x.rot90", lambda x: x.rot90(1, (0, 1)), t(2, 3))
    case("x.split", lambda x: x.split([1, 2], 1), t(2, 3), [1, 2], 1)
    case("x.split", lambda x: x.split(2, 1), t(2, 5), 2, 1)
    case("x.chunk", lambda x: x.chunk(2, 1), t(2, 3), 2, 1)
    case("x.unbind", lambda x: x.unbind(1), t(2, 3), 1)
    case("x.narrow", lambda x: x.narrow(1, 1, 2), t(2, 4), 1, 1, 2)
    case("x.select", lambda x: x.select(1, -1), t(2, 4), 1, -1)
    case("x.movedim", lambda x: x.movedim(0, 2), t(2, 3, 4), 0, 2)
    case("x.unflatten", lambda x: x.unflatten(1, (2, -1)), t(2, 6), 1, [2, -1])
    case("x.unfold", lambda x: x.unfold(1, 2, 1), t(2, 4), 1, 2, 1)
    case("x.repeatInterleave", lambda x: x.repeat_interleave(2, 1), t(2, 3), 2, {"dim": 1})
    case("x.repeatInterleave", lambda x, n: x.repeat_interleave(n), t(3), i([1, 0, 2]))
    case("meshgrid", lambda x, y: torch.meshgrid(x, y, indexing="ij"), [t(2), t(3)])
    case("cat", lambda x, y: torch.cat((x, y), 1), [t(2, 3), t(2, 1)], {"dim": 1})
    case("stack", lambda x, y: torch.stack((x, y), 1), [t(2, 3), t(2, 3)], {"dim": 1})
    case("x.clone", torch.clone, t(3))
    case("x.contiguous", lambda x: x.contiguous(), t(3))
    case("x.contiguous", lambda x: x.contiguous(memory_format=torch.channels_last), t(1, 2, 2, 2), {"memoryFormat": "channelsLast"})
    case("x.detach", lambda x: x.detach(), t(3))
    case("x.to", lambda x: x.to(torch.float32), f([1.5, 2.25], grad=True), {"dtype": "float32"})


def indexing():
    case("x.index", lambda x: x[0, 1:, ..., None], t(2, 3, 2), 0, slice(1, None), "...", None)
    case("x.index", lambda x, k: x[:, k], t(2, 3), slice(None), i([2, 0, 2]))
    case("x.index", lambda x, m: x[m], t(2, 2), b([[True, False], [True, True]]))
    case("x.indexPut_", lambda x: x.index_put_((torch.tensor(0),), torch.tensor(5.0, dtype=x.dtype)), t(2, 3), [0], 5, inplace=True)
    case("x.indexPut_", lambda x, k, v: x.index_put_((k,), v, accumulate=True), t(3), [i([0, 0, 2])], t(3), {"accumulate": True},
         inplace=True)
    case("x.indexSelect", lambda x, k: x.index_select(1, k), t(2, 3), 1, i([2, 0, 2]))
    case("x.take", torch.take, t(2, 3), i([[5, 0], [0, 1]]))
    case("x.takeAlongDim", lambda x, k: torch.take_along_dim(x, k, 1), t(2, 3), i([[2, 0], [1, 1]]), {"dim": 1})
    case("x.maskedSelect", torch.masked_select, t(2, 2), b([[True, False], [True, True]]))
    case("x.maskedFill", lambda x, m: x.masked_fill(m, 3), t(2, 2), b([[True, False], [True, True]]), 3)
    case("x.maskedFill_", lambda x, m: x.masked_fill_(m, 3), t(2, 2), b([[True, False], [True, True]]), 3, inplace=True)
    case("x.maskedScatter", torch.masked_scatter, t(2, 2), b([[True, False], [True, True]]), t(4))
    index = [[0, 1, 1], [2, 0, 0]]
    case("x.gather", lambda x, k: x.gather(1, k), t(2, 4), 1, i(index))
    case("x.scatter", lambda x, k, s: x.scatter(1, k, s), t(2, 4), 1, i([[0, 1, 2], [2, 0, 3]]), t(2, 3))
    case("x.scatter", lambda x, k: x.scatter(1, k, 5), t(2, 4), 1, i(index), 5)
    case("x.scatter_", lambda x, k, s: x.scatter_(1, k, s), t(2, 4), 1, i([[0, 1, 2], [2, 0, 3]]), t(2, 3), inplace=True)
    case("x.scatter_", lambda x, k: x.scatter_(1, k, 5), t(2, 4), 1, i(index), 5, inplace=True)
    case("x.scatterAdd", lambda x, k, s: x.scatter_add(1, k, s), t(2, 4), 1, i(index), t(2, 3))
    case("x.scatterAdd_", lambda x, k, s: x.scatter_add_(1, k, s), t(2, 4), 1, i(index), t(2, 3), inplace=True)
    for reduce in "sum prod mean amax amin".split():
        case("x.scatterReduce", lambda x, k, s, r=reduce: x.scatter_reduce(1, k, s, r, include_self=False), t(2, 4), 1, i(index),
             t(2, 3), {"reduce": reduce, "includeSelf": False})
    for mark, inplace in (("", False), ("_", True)):
        case(f"x.indexAdd{mark}", lambda x, k, s, m=mark: getattr(x, "index_add" + m)(0, k, s, alpha=2), t(3, 2), 0, i([0, 0]),
             t(2, 2), {"alpha": 2}, inplace=inplace)
        case(f"x.indexCopy{mark}", lambda x, k, s, m=mark: getattr(x, "index_copy" + m)(0, k, s), t(3, 2), 0, i([2, 0]), t(2, 2),
             inplace=inplace)
        case(f"x.indexFill{mark}", lambda x, k, m=mark: getattr(x, "index_fill" + m)(0, k, 4), t(3, 2), 0, i([2, 0]), 4,
             inplace=inplace)


def random():
    case("randperm", lambda: torch.randperm(6), 6, seed=1)
    case("randint", lambda: torch.randint(2, 9, (5,)), 2, 9, [5], seed=1)
    case("rand", lambda: torch.rand(5, dtype=torch.float64), [5], {"dtype": "float64"}, seed=1)
    case("randn", lambda: torch.randn(5, dtype=torch.float64), [5], {"dtype": "float64"}, seed=1)
    zeros = f([0.0] * 5)
    case("x.normal_", lambda x: x.normal_(1, 2), zeros, {"mean": 1, "std": 2}, seed=2, inplace=True)
    case("x.uniform_", lambda x: x.uniform_(-1, 2), zeros, {"from": -1, "to": 2}, seed=2, inplace=True)
    case("x.bernoulli_", lambda x: x.bernoulli_(0.4), zeros, {"p": 0.4}, seed=2, inplace=True)
    case("x.exponential_", lambda x: x.exponential_(2), zeros, {"lambda": 2}, seed=2, inplace=True)
    case("x.logNormal_", lambda x: x.log_normal_(0, 1), zeros, {"mean": 0, "std": 1}, seed=2, inplace=True)
    case("x.cauchy_", lambda x: x.cauchy_(), zeros, seed=2, inplace=True)
    case("x.geometric_", lambda x: x.geometric_(0.3), zeros, {"p": 0.3}, seed=2, inplace=True)
    case("x.random_", lambda x: x.random_(3, 20), i([0] * 5), {"from": 3, "to": 20}, seed=2, inplace=True)
    case("x.bernoulli", torch.bernoulli, f([0.1, 0.5, 0.9, 0.5]), seed=3)
    case("x.poisson", torch.poisson, f([1.0, 5.0, 0.5]), seed=3)
    case("x.multinomial", lambda x: torch.multinomial(x, 3), f([0.1, 0.5, 0.9, 0.5]), 3, seed=3)
    case("x.multinomial", lambda x: torch.multinomial(x, 4, True), f([[0.1, 0.5], [0.9, 0.5]]), 4, {"replacement": True}, seed=3)


def factories():
    case("arange", lambda: torch.arange(1, 10, 3), 1, 10, 3)
    case("linspace", lambda: torch.linspace(0, 1, 5), 0, 1, 5)
    case("eye", lambda: torch.eye(2, 3), 2, {"m": 3})
    case("full", lambda: torch.full((2, 2), 3.5), [2, 2], 3.5)


def add():
    for group in (pointwise, in_place, reductions, matrices, shapes, indexing, random, factories):
        group()
