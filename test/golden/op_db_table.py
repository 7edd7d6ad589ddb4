"""Which call of dyconv is which operation of PyTorch's op_db: the table of make_op_db.py.

An entry reads "PyTorch's parameters in order -> the call of dyconv". In the call a name is an argument, {a, b: c} an options
object (the key in camelCase of the parameter, or the key before the colon), ...a the items of a list; what is before the first
parenthesis is where test/ops/op-db.ts finds the function: x.name is a method of the first parameter, F.name of functional,
linalg.name, or name alone of the package. A parameter that a sample leaves out is left out of the call.
"""
UNARY = (
    "abs acos acosh asin asinh atan atanh bitwise_not ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac "
    "isfinite isinf isnan isposinf isneginf lgamma log log10 log1p log2 logical_not neg rad2deg reciprocal rsqrt sgn sigmoid "
    "sign signbit sin sinc sinh sqrt square tan tanh trunc i0 clone contiguous nonzero argwhere trace ravel fliplr flipud corrcoef "
    "msort"
).split()

BINARY = (
    "atan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift copysign eq ne lt le gt ge floor_divide fmax "
    "fmin fmod gcd lcm heaviside hypot ldexp logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mul nextafter "
    "remainder xlogy float_power inner dot mm mv bmm matmul outer kron equal"
).split()

# Methods with a trailing underscore, tried on a copy of the first parameter.
INPLACE = (
    "add sub mul div|no_rounding_mode div|trunc_rounding div|floor_rounding neg abs exp log sqrt rsqrt square reciprocal sigmoid "
    "tanh floor ceil round round|decimals_3 round|decimals_neg_3 pow clamp lerp addcmul addcdiv remainder floor_divide masked_fill "
    "masked_scatter index_add index_copy index_fill index_put index_reduce|mean index_reduce|prod index_reduce|amin "
    "index_reduce|amax scatter scatter_add scatter_reduce|sum scatter_reduce|prod scatter_reduce|mean scatter_reduce|amin "
    "scatter_reduce|amax put"
).split()

TABLE = {
    "add": "self, other, alpha -> x.add(other, {alpha})",
    "sub": "self, other, alpha -> x.sub(other, {alpha})",
    "div": "self, other, rounding_mode -> x.div(other, {rounding_mode})",
    "true_divide": "self, other -> x.div(other)",
    "pow": "self, exponent -> x.pow(exponent)",
    "max|binary": "self, other -> x.maximum(other)",
    "min|binary": "self, other -> x.minimum(other)",
    "clamp": "self, min, max -> x.clamp({min, max})",
    "clamp_min": "self, min -> x.clampMin(min)",
    "clamp_max": "self, max -> x.clampMax(max)",
    "round": "self, decimals -> x.round({decimals})",
    "logit": "self, eps -> x.logit({eps})",
    "nan_to_num": "self, nan, posinf, neginf -> x.nanToNum({nan, posinf, neginf})",
    "lerp": "self, end, weight -> x.lerp(end, weight)",
    "addcmul": "self, tensor1, tensor2, value -> x.addcmul(tensor1, tensor2, {value})",
    "addcdiv": "self, tensor1, tensor2, value -> x.addcdiv(tensor1, tensor2, {value})",
    "isclose": "self, other, rtol, atol, equal_nan -> x.isclose(other, {rtol, atol, equal_nan})",
    "allclose": "self, other, rtol, atol, equal_nan -> x.allclose(other, {rtol, atol, equal_nan})",
    "where": "self, condition, other -> where(condition, self, other)",
    "special.i0e": "self -> x.i0e()",
    "special.i1": "self -> x.i1()",
    "special.i1e": "self -> x.i1e()",
    "special.entr": "self -> x.entr()",
    "special.erfcx": "self -> x.erfcx()",
    "special.ndtr": "self -> x.ndtr()",
    "special.ndtri": "self -> x.ndtri()",
    "special.log_ndtr": "self -> x.logNdtr()",
    "special.zeta": "self, other -> x.zeta(other)",
    "special.xlog1py": "self, other -> x.xlog1py(other)",
    "polygamma": "n, self -> x.polygamma(n)",
    "special.polygamma": "n, self -> x.polygamma(n)",
    "mvlgamma": "self, p -> x.mvlgamma(p)",
    # Reductions, ordering.
    "sum": "self, dim, keepdim, dtype -> x.sum({dim, keepdim, dtype})",
    "nansum": "self, dim, keepdim, dtype -> x.nansum({dim, keepdim, dtype})",
    "mean": "self, dim, keepdim, dtype -> x.mean({dim, keepdim, dtype})",
    "nanmean": "self, dim, keepdim, dtype -> x.nanmean({dim, keepdim, dtype})",
    "prod": "self, dim, keepdim, dtype -> x.prod({dim, keepdim, dtype})",
    "cumsum": "self, dim, dtype -> x.cumsum({dim, dtype})",
    "cumprod": "self, dim, dtype -> x.cumprod({dim, dtype})",
    "cummax": "self, dim -> x.cummax({dim})",
    "cummin": "self, dim -> x.cummin({dim})",
    "logcumsumexp": "self, dim -> x.logcumsumexp({dim})",
    "logsumexp": "self, dim, keepdim -> x.logsumexp({dim, keepdim})",
    "var|unbiased": "self, unbiased -> x.var({correction: unbiased})",
    "var": "self, dim, correction, keepdim -> x.var({dim, correction, keepdim})",
    "std|unbiased": "self, unbiased -> x.std({correction: unbiased})",
    "std": "self, dim, correction, keepdim -> x.std({dim, correction, keepdim})",
    "var_mean|unbiased": "self, unbiased -> x.varMean({correction: unbiased})",
    "var_mean": "self, dim, correction, keepdim -> x.varMean({dim, correction, keepdim})",
    "std_mean|unbiased": "self, unbiased -> x.stdMean({correction: unbiased})",
    "std_mean": "self, dim, correction, keepdim -> x.stdMean({dim, correction, keepdim})",
    "amax": "self, dim, keepdim -> x.amax({dim, keepdim})",
    "amin": "self, dim, keepdim -> x.amin({dim, keepdim})",
    "aminmax": "self, dim, keepdim -> x.aminmax({dim, keepdim})",
    "argmax": "self, dim, keepdim -> x.argmax({dim, keepdim})",
    "argmin": "self, dim, keepdim -> x.argmin({dim, keepdim})",
    "all": "self, dim, keepdim -> x.all({dim, keepdim})",
    "any": "self, dim, keepdim -> x.any({dim, keepdim})",
    "count_nonzero": "self, dim -> x.countNonzero({dim})",
    "max|reduction_with_dim": "self, dim, keepdim -> x.max({dim, keepdim})",
    "min|reduction_with_dim": "self, dim, keepdim -> x.min({dim, keepdim})",
    "max|reduction_no_dim": "self -> x.max()",
    "min|reduction_no_dim": "self -> x.min()",
    "median": "self, dim, keepdim -> x.median(?{dim, keepdim})",
    "nanmedian": "self, dim, keepdim -> x.nanmedian(?{dim, keepdim})",
    "mode": "self, dim, keepdim -> x.mode({dim, keepdim})",
    "kthvalue": "self, k, dim, keepdim -> x.kthvalue(k, {dim, keepdim})",
    "quantile": "self, q, dim, keepdim, interpolation -> x.quantile(q, {dim, keepdim, interpolation})",
    "nanquantile": "self, q, dim, keepdim, interpolation -> x.nanquantile(q, {dim, keepdim, interpolation})",
    "topk": "self, k, dim, largest, sorted -> x.topk(k, {dim, largest, sorted})",
    "sort": "self, dim, descending, stable -> x.sort({dim, descending, stable})",
    "argsort": "self, dim, descending, stable -> x.argsort({dim, descending, stable})",
    "unique_consecutive": "self, return_inverse, return_counts, dim -> x.uniqueConsecutive({dim})",
    "unique": "self, sorted, return_inverse, return_counts, dim -> x.unique({sorted, dim})",
    "searchsorted": "self, values, out_int32, right, side, sorter -> x.searchsorted(values, {out_int32, right, side, sorter})",
    "bucketize": "self, boundaries, out_int32, right -> x.bucketize(boundaries, {out_int32, right})",
    "histc": "self, bins, min, max -> x.histc({bins, min, max})",
    "histogram": "self, bins, range, weight, density -> x.histogram(bins, {range, weight, density})",
    "bincount": "self, weights, minlength -> x.bincount({weights, minlength})",
    "isin": "self, test_elements, assume_unique, invert -> x.isin(test_elements, {assume_unique, invert})",
    "diff": "self, n, dim, prepend, append -> x.diff({n, dim, prepend, append})",
    "dist": "self, other, p -> x.dist(other, {p})",
    "norm": "self, p, dim, keepdim, dtype -> x.norm({p, dim, keepdim, dtype})",
    "renorm": "self, p, dim, maxnorm -> x.renorm(p, dim, maxnorm)",
    "cov": "self, correction, fweights, aweights -> x.cov({correction, fweights, aweights})",
    "trapezoid": "self, x, dx, dim -> x.trapezoid({x, dx, dim})",
    "trapz": "self, x, dx, dim -> x.trapezoid({x, dx, dim})",
    "cumulative_trapezoid": "self, x, dx, dim -> x.cumulativeTrapezoid({x, dx, dim})",
    # Products.
    "addmm": "self, mat1, mat2, beta, alpha -> x.addmm(mat1, mat2, {beta, alpha})",
    "addmv": "self, mat, vec, beta, alpha -> x.addmv(mat, vec, {beta, alpha})",
    "addbmm": "self, batch1, batch2, beta, alpha -> x.addbmm(batch1, batch2, {beta, alpha})",
    "baddbmm": "self, batch1, batch2, beta, alpha -> x.baddbmm(batch1, batch2, {beta, alpha})",
    "addr": "self, vec1, vec2, beta, alpha -> x.addr(vec1, vec2, {beta, alpha})",
    "cdist": "x1, x2, p -> x.cdist(x2, {p})",
    "tensordot": "self, other, dims -> x.tensordot(other, {dims})",
    "einsum": "operands, equation -> einsum(equation, ...operands)",
    "linalg.cross": "self, other, dim -> x.cross(other, {dim})",
    "linalg.det": "self -> linalg.det(self)",
    "linalg.inv": "self -> linalg.inv(self)",
    "linalg.slogdet": "self -> linalg.slogdet(self)",
    "logdet": "self -> linalg.logdet(self)",
    "linalg.cholesky": "self, upper -> linalg.cholesky(self, {upper})",
    "cholesky_solve": "self, input2, upper -> linalg.choleskySolve(self, input2, {upper})",
    "cholesky_inverse": "self, upper -> linalg.choleskyInverse(self, {upper})",
    "linalg.vecdot": "self, other, dim -> linalg.vecdot(self, other, {dim})",
    "linalg.cond": "self, p -> linalg.cond(self, {p})",
    "linalg.eigh": "self, UPLO -> linalg.eigh(self, {UPLO})",
    "linalg.eigvalsh": "self, UPLO -> linalg.eigvalsh(self, {UPLO})",
    "linalg.lstsq|grad_oriented": None,  # the same, for second derivatives
    "linalg.lstsq": "self, other, rcond, driver -> linalg.lstsq(self, other)",
    "linalg.matrix_power": "self, n -> linalg.matrixPower(self, n)",
    "matrix_exp": "self -> linalg.matrixExp(self)",
    "linalg.multi_dot": "tensors -> linalg.multiDot(tensors)",
    "linalg.norm": "self, ord, dim, keepdim, dtype -> linalg.norm(self, {ord, dim, keepdim, dtype})",
    "linalg.matrix_norm": "self, ord, dim, keepdim, dtype -> linalg.matrixNorm(self, {p: ord, dim, keepdim, dtype})",
    "linalg.vector_norm": "self, ord, dim, keepdim, dtype -> linalg.vectorNorm(self, {p: ord, dim, keepdim, dtype})",
    "linalg.qr": "self, mode -> linalg.qr(self, {mode})",
    "linalg.svd": "self, full_matrices -> linalg.svd(self, {full_matrices})",
    "linalg.svdvals": "self -> linalg.svdvals(self)",
    "linalg.solve": "self, other, left -> linalg.solve(self, other, {left})",
    "linalg.solve_triangular": "self, other, upper, left, unitriangular -> linalg.solveTriangular(self, other, {upper, left, unitriangular})",
    "linalg.matrix_rank": "self, atol, rtol, hermitian -> linalg.matrixRank(self, {atol, rtol, hermitian})",
    "linalg.pinv": "self, atol, rtol, hermitian -> linalg.pinv(self, {atol, rtol, hermitian})",
    "pinverse": "self, rcond -> linalg.pinv(self, {rtol: rcond})",
    "linalg.vander": "self, N -> linalg.vander(self, {n: N})",
    "linalg.diagonal": "self, offset, dim1, dim2 -> x.diagonal({offset, dim1, dim2})",
    "diag": "self, diagonal -> x.diag(diagonal)",
    "diagflat": "self, offset -> x.diagflat(offset)",
    "diagonal": "self, offset, dim1, dim2 -> x.diagonal({offset, dim1, dim2})",
    "diag_embed": "self, offset, dim1, dim2 -> x.diagEmbed({offset, dim1, dim2})",
    "diagonal_scatter": "self, src, offset, dim1, dim2 -> x.diagonalScatter(src, {offset, dim1, dim2})",
    "tril": "self, diagonal -> x.tril(diagonal)",
    "triu": "self, diagonal -> x.triu(diagonal)",
    "tril_indices": "row, col, offset -> trilIndices(row, col, {offset})",
    "triu_indices": "row, col, offset -> triuIndices(row, col, {offset})",
    # Shapes.
    "reshape": "self, shape -> x.reshape(shape)",
    "view": "self, size -> x.view(size)",
    "reshape_as": "self, other -> x.reshapeAs(other)",
    "view_as": "self, other -> x.viewAs(other)",
    "permute": "self, dims -> x.permute(dims)",
    "transpose": "self, dim0, dim1 -> x.transpose(dim0, dim1)",
    "flatten": "self, start_dim, end_dim -> x.flatten(start_dim, end_dim)",
    "unflatten": "self, dim, sizes -> x.unflatten(dim, sizes)",
    "squeeze": "self, dim -> x.squeeze(dim)",
    "unsqueeze": "self, dim -> x.unsqueeze(dim)",
    "expand": "self, size -> x.expand(size)",
    "expand_as": "self, other -> x.expandAs(other)",
    "broadcast_to": "self, size -> x.broadcastTo(size)",
    "broadcast_tensors": "*tensors -> broadcastTensors(...tensors)",
    "broadcast_shapes": "*shapes -> broadcastShapes(...shapes)",
    "repeat": "self, *repeats -> x.repeat(repeats)",
    "tile": "self, dims -> x.tile(dims)",
    "flip": "self, dims -> x.flip(dims)",
    "roll": "self, shifts, dims -> x.roll(shifts, dims)",
    "rot90": "self, k, dims -> x.rot90({k, dims})",
    "split": "self, split_size, dim -> x.split(split_size, dim)",
    "split_with_sizes": "self, split_sizes, dim -> x.split(split_sizes, dim)",
    "tensor_split": "self, sections, dim -> x.tensorSplit(sections, {dim})",
    "hsplit": "self, sections -> x.hsplit(sections)",
    "vsplit": "self, sections -> x.vsplit(sections)",
    "dsplit": "self, sections -> x.dsplit(sections)",
    "chunk": "self, chunks, dim -> x.chunk(chunks, dim)",
    "unbind": "self, dim -> x.unbind(dim)",
    "narrow": "self, dim, start, length -> x.narrow(dim, start, length)",
    "select": "self, dim, index -> x.select(dim, index)",
    "select_scatter": "self, src, dim, index -> x.selectScatter(src, dim, index)",
    "slice_scatter": "self, src, dim, start, end, step -> x.sliceScatter(src, {dim, start, end, step})",
    "movedim": "self, source, destination -> x.movedim(source, destination)",
    "unfold": "self, dimension, size, step -> x.unfold(dimension, size, step)",
    "repeat_interleave": "self, repeats, dim -> x.repeatInterleave(repeats, {dim})",
    "meshgrid|variadic_tensors": "*tensors, indexing -> meshgrid(tensors, {indexing})",
    "meshgrid": "tensors, indexing -> meshgrid(tensors, {indexing})",
    "cat": "tensors, dim -> cat(tensors, {dim})",
    "stack": "tensors, dim -> stack(tensors, {dim})",
    "hstack": "tensors -> hstack(tensors)",
    "vstack": "tensors -> vstack(tensors)",
    "dstack": "tensors -> dstack(tensors)",
    "column_stack": "tensors -> columnStack(tensors)",
    "block_diag": "*tensors -> blockDiag(...tensors)",
    "cartesian_prod": "*tensors -> cartesianProd(...tensors)",
    "combinations": "self, r, with_replacement -> x.combinations({r, with_replacement})",
    "atleast_1d": "self -> atleast1d(self)",
    "atleast_2d": "self -> atleast2d(self)",
    "atleast_3d": "self -> atleast3d(self)",
    "as_strided|partial_views": None,  # of tensors that are parts of others
    "as_strided": "self, size, stride, storage_offset -> x.asStrided(size, stride, {storage_offset})",
    "to": "self, dtype -> x.to({dtype})",
    # Indexing.
    "__getitem__": "self, index -> x.index(...index)",
    "index_put": "self, indices, values, accumulate -> x.indexPut(indices, values, {accumulate})",
    "index_select": "self, dim, index -> x.indexSelect(dim, index)",
    "index_add": "self, dim, index, source, alpha -> x.indexAdd(dim, index, source, {alpha})",
    "index_copy": "self, dim, index, source -> x.indexCopy(dim, index, source)",
    "index_fill": "self, dim, index, value -> x.indexFill(dim, index, value)",
    "index_reduce": "self, dim, index, source, reduce, include_self -> x.indexReduce(dim, index, source, {reduce, include_self})",
    "take": "self, index -> x.take(index)",
    "take_along_dim": "self, indices, dim -> x.takeAlongDim(indices, {dim})",
    "put": "self, index, source, accumulate -> x.put(index, source, {accumulate})",
    "gather": "self, dim, index, sparse_grad -> x.gather(dim, index)",
    "scatter": "self, dim, index, src, reduce -> x.scatter(dim, index, src)",
    "scatter_add": "self, dim, index, src -> x.scatterAdd(dim, index, src)",
    "scatter_reduce": "self, dim, index, src, reduce, include_self -> x.scatterReduce(dim, index, src, {reduce, include_self})",
    "masked_fill": "self, mask, value -> x.maskedFill(mask, value)",
    "masked_select": "self, mask -> x.maskedSelect(mask)",
    "masked_scatter": "self, mask, source -> x.maskedScatter(mask, source)",
    # Factories.
    "arange": "start, end, step, dtype -> arange(start, end, step, {dtype})",
    "linspace": "start, end, steps, dtype -> linspace(start, end, steps, {dtype})",
    "logspace": "start, end, steps, base, dtype -> logspace(start, end, steps, {base, dtype})",
    "eye": "n, m, dtype -> eye(n, {m, dtype})",
    "zeros_like": "self, dtype -> zerosLike(self, {dtype})",
    "ones_like": "self, dtype -> onesLike(self, {dtype})",
    "full_like": "self, fill_value, dtype -> fullLike(self, fill_value, {dtype})",
    "full": "size, fill_value, dtype -> full(size, fill_value, {dtype})",
    "zeros": "size, dtype -> zeros(size, {dtype})",
    "ones": "size, dtype -> ones(size, {dtype})",
    # Activations.
    "softmax": "self, dim, dtype -> x.softmax({dim, dtype})",
    "log_softmax": "self, dim, dtype -> x.logSoftmax({dim, dtype})",
    "nn.functional.softmin": "self, dim, _stacklevel, dtype -> F.softmin(self, {dim, dtype})",
    "nn.functional.relu": "self -> F.relu(self)",
    "nn.functional.relu6": "self -> F.relu6(self)",
    "nn.functional.selu": "self -> F.selu(self)",
    "nn.functional.silu": "self -> F.silu(self)",
    "nn.functional.mish": "self -> F.mish(self)",
    "nn.functional.hardswish": "self -> F.hardswish(self)",
    "nn.functional.hardsigmoid": "self -> F.hardsigmoid(self)",
    "nn.functional.logsigmoid": "self -> F.logSigmoid(self)",
    "nn.functional.softsign": "self -> F.softsign(self)",
    "nn.functional.tanhshrink": "self -> F.tanhshrink(self)",
    "nn.functional.gelu": "self, approximate -> F.gelu(self, {approximate})",
    "nn.functional.elu": "self, alpha -> F.elu(self, {alpha})",
    "nn.functional.celu": "self, alpha -> F.celu(self, {alpha})",
    "nn.functional.leaky_relu": "self, negative_slope -> F.leakyRelu(self, {negative_slope})",
    "nn.functional.hardtanh": "self, min_val, max_val -> F.hardtanh(self, {min_val, max_val})",
    "nn.functional.hardshrink": "self, lambd -> F.hardshrink(self, {lambda: lambd})",
    "nn.functional.softshrink": "self, lambd -> F.softshrink(self, {lambda: lambd})",
    "nn.functional.softplus": "self, beta, threshold -> F.softplus(self, {beta, threshold})",
    "nn.functional.threshold": "self, threshold, value -> F.threshold(self, {threshold, value})",
    "nn.functional.prelu": "self, weight -> F.prelu(self, weight)",
    "nn.functional.glu": "self, dim -> F.glu(self, {dim})",
    # Convolutions, pools, resizing.
    "nn.functional.linear": "input, weight, bias -> F.linear(input, weight, bias)",
    "nn.functional.bilinear": "input1, input2, weight, bias -> F.bilinear(input1, input2, weight, bias)",
    "nn.functional.avg_pool1d": "input, kernel_size, stride, padding, ceil_mode, count_include_pad -> F.avgPool1d(input, kernel_size, {stride, padding, ceil_mode, count_include_pad})",
    "nn.functional.fold": "input, output_size, kernel_size, dilation, padding, stride -> F.fold(input, output_size, kernel_size, {dilation, padding, stride})",
    "nn.functional.unfold": "input, kernel_size, dilation, padding, stride -> F.unfold(input, kernel_size, {dilation, padding, stride})",
    "nn.functional.interpolate": "input, size, scale_factor, mode, align_corners -> F.interpolate(input, {size, scale_factor, mode, align_corners})",
    "nn.functional.grid_sample": "input, grid, mode, padding_mode, align_corners -> F.gridSample(input, grid, {mode, padding_mode, align_corners})",
    "nn.functional.pixel_shuffle": "input, upscale_factor -> F.pixelShuffle(input, upscale_factor)",
    "nn.functional.pixel_unshuffle": "input, downscale_factor -> F.pixelUnshuffle(input, downscale_factor)",
    "nn.functional.pad": "input, pad, mode, value -> F.pad(input, pad, {mode, value})",
    # Normalization, distances, attention, look-ups.
    "nn.functional.batch_norm": "input, running_mean, running_var, weight, bias, training, momentum, eps -> F.batchNorm(input, {running_mean, running_var, weight, bias, training, momentum, eps})",
    "nn.functional.layer_norm": "input, normalized_shape, weight, bias, eps -> F.layerNorm(input, normalized_shape, {weight, bias, eps})",
    "nn.functional.group_norm": "input, num_groups, weight, bias, eps -> F.groupNorm(input, num_groups, {weight, bias, eps})",
    "nn.functional.instance_norm": "input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps -> F.instanceNorm(input, {running_mean, running_var, weight, bias, use_input_stats, momentum, eps})",
    "nn.functional.rms_norm": "input, normalized_shape, weight, eps -> F.rmsNorm(input, normalized_shape, {weight, eps})",
    "nn.functional.local_response_norm": "input, size, alpha, beta, k -> F.localResponseNorm(input, size, {alpha, beta, k})",
    "nn.functional.normalize": "input, p, dim, eps -> F.normalize(input, {p, dim, eps})",
    "nn.functional.cosine_similarity": "x1, x2, dim, eps -> F.cosineSimilarity(x1, x2, {dim, eps})",
    "nn.functional.pairwise_distance": "x1, x2, p, eps, keepdim -> F.pairwiseDistance(x1, x2, {p, eps, keepdim})",
    "nn.functional.pdist": "input, p -> F.pdist(input, {p})",
    "nn.functional.channel_shuffle": "input, groups -> F.channelShuffle(input, groups)",
    "nn.functional.scaled_dot_product_attention": "query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa -> F.scaledDotProductAttention(query, key, value, {attn_mask, dropout_p, is_causal, scale})",
    "nn.functional.embedding": "weight, input, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse -> F.embedding(input, weight, {padding_idx})",
    "nn.functional.embedding_bag": "weight, input, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx -> F.embeddingBag(input, weight, {offsets, mode, per_sample_weights, include_last_offset, padding_idx})",
    "nn.functional.one_hot": "input, num_classes -> F.oneHot(input, num_classes)",
    # Losses.
    "nn.functional.cross_entropy": "input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing -> F.crossEntropy(input, target, {weight, ignore_index, reduction, label_smoothing})",
    "nn.functional.nll_loss": "input, target, weight, size_average, ignore_index, reduce, reduction -> F.nllLoss(input, target, {weight, ignore_index, reduction})",
    "nn.functional.mse_loss": "input, target, size_average, reduce, reduction, weight -> F.mseLoss(input, target, {reduction, weight})",
    "nn.functional.l1_loss": "input, target, size_average, reduce, reduction, weight -> F.l1Loss(input, target, {reduction, weight})",
    "nn.functional.smooth_l1_loss": "input, target, size_average, reduce, reduction, beta -> F.smoothL1Loss(input, target, {reduction, beta})",
    "nn.functional.huber_loss": "input, target, reduction, delta, weight -> F.huberLoss(input, target, {reduction, delta, weight})",
    "nn.functional.binary_cross_entropy": "input, target, weight, size_average, reduce, reduction -> F.binaryCrossEntropy(input, target, {weight, reduction})",
    "nn.functional.binary_cross_entropy_with_logits": "input, target, weight, size_average, reduce, reduction, pos_weight -> F.binaryCrossEntropyWithLogits(input, target, {weight, reduction, pos_weight})",
    "nn.functional.kl_div": "input, target, size_average, reduce, reduction, log_target -> F.klDiv(input, target, {reduction, log_target})",
    "nn.functional.poisson_nll_loss": "input, target, log_input, full, size_average, eps, reduce, reduction -> F.poissonNllLoss(input, target, {log_input, full, eps, reduction})",
    "nn.functional.gaussian_nll_loss": "input, target, var, full, eps, reduction -> F.gaussianNllLoss(input, target, var, {full, eps, reduction})",
    "nn.functional.hinge_embedding_loss": "input, target, margin, size_average, reduce, reduction -> F.hingeEmbeddingLoss(input, target, {margin, reduction})",
    "nn.functional.margin_ranking_loss": "input1, input2, target, margin, size_average, reduce, reduction -> F.marginRankingLoss(input1, input2, target, {margin, reduction})",
    "nn.functional.cosine_embedding_loss": "input1, input2, target, margin, size_average, reduce, reduction -> F.cosineEmbeddingLoss(input1, input2, target, {margin, reduction})",
    "nn.functional.triplet_margin_loss": "anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction -> F.tripletMarginLoss(anchor, positive, negative, {margin, p, eps, swap, reduction})",
    "nn.functional.soft_margin_loss": "input, target, size_average, reduce, reduction -> F.softMarginLoss(input, target, {reduction})",
    "nn.functional.multi_margin_loss": "input, target, p, margin, weight, size_average, reduce, reduction -> F.multiMarginLoss(input, target, {p, margin, weight, reduction})",
    "nn.functional.multilabel_margin_loss": "input, target, size_average, reduce, reduction -> F.multilabelMarginLoss(input, target, {reduction})",
    "nn.functional.multilabel_soft_margin_loss": "input, target, weight, size_average, reduce, reduction -> F.multilabelSoftMarginLoss(input, target, {weight, reduction})",
    "nn.functional.ctc_loss": "log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity -> F.ctcLoss(log_probs, targets, input_lengths, target_lengths, {blank, reduction, zero_infinity})",
    # Random numbers: from the same generator, with the same seed.
    "bernoulli": "self -> x.bernoulli()",
    "multinomial": "self, num_samples, replacement -> x.multinomial(num_samples, {replacement})",
    "nn.functional.dropout": "self, p, training -> F.dropout(self, {p, training})",
    "nn.functional.dropout2d": "self, p, training -> F.dropout2d(self, {p, training})",
    "nn.functional.alpha_dropout": "self, p, training -> F.alphaDropout(self, {p, training})",
    "nn.functional.feature_alpha_dropout": "self, p, training -> F.featureAlphaDropout(self, {p, training})",
    "nn.functional.rrelu": "self, lower, upper, training -> F.rrelu(self, {lower, upper, training})",
    "cauchy": "self, median, sigma -> x.cauchy_({median, sigma})",
    "exponential": "self, lambd -> x.exponential_({lambda: lambd})",
    "geometric": "self, p -> x.geometric_({p})",
    "log_normal": "self, mean, std -> x.logNormal_({mean, std})",
    "normal|in_place": "self, mean, std -> x.normal_({mean, std})",
    "uniform": "self, from, to -> x.uniform_({from, to})",
}

for size in (1, 2, 3):
    n = f"{size}d"
    TABLE[f"nn.functional.conv{n}"] = (
        f"input, weight, bias, stride, padding, dilation, groups -> F.conv{n}(input, weight, bias, {{stride, padding, dilation, groups}})"
    )
    TABLE[f"nn.functional.conv_transpose{n}"] = (
        "input, weight, bias, stride, padding, output_padding, groups, dilation -> "
        f"F.convTranspose{n}(input, weight, bias, {{stride, padding, output_padding, groups, dilation}})"
    )
    TABLE[f"nn.functional.max_pool{n}"] = (
        "input, kernel_size, stride, padding, dilation, ceil_mode, return_indices -> "
        f"F.maxPool{n}(input, kernel_size, {{stride, padding, dilation, ceil_mode, return_indices}})"
    )
    TABLE[f"nn.functional.max_unpool{n}"] = (
        "input, indices, kernel_size, stride, padding, output_size -> "
        f"F.maxUnpool{n}(input, indices, kernel_size, {{stride, padding, output_size}})"
    )
    TABLE[f"nn.functional.adaptive_avg_pool{n}"] = f"input, output_size -> F.adaptiveAvgPool{n}(input, output_size)"
    TABLE[f"nn.functional.adaptive_max_pool{n}"] = (
        f"input, output_size, return_indices -> F.adaptiveMaxPool{n}(input, output_size, {{return_indices}})"
    )
    if size > 1:
        TABLE[f"nn.functional.avg_pool{n}"] = (
            "input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override -> "
            f"F.avgPool{n}(input, kernel_size, {{stride, padding, ceil_mode, count_include_pad, divisor_override}})"
        )


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


for name in UNARY:
    TABLE[name] = f"self -> x.{camel(name)}()"
for name in BINARY:
    TABLE[name] = f"self, other -> x.{camel(name)}(other)"

# Which of the results are compared, where the others are not unique: signs and orders of vectors, ties.
PICK = {
    "linalg.svd": ["S"],
    "linalg.eigh": ["eigenvalues"],
    "linalg.lstsq": ["solution"],
    "mode": ["values"],
    "median": ["values"],
    "nanmedian": ["values"],
    "kthvalue": ["values"],
    "topk": ["values"],
    "sort": ["values"],
}

# Different numbers from the same seed are right: shapes and dtypes are compared.
RANDOM = {"nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout",
          "nn.functional.rrelu"}

# Draws that equal PyTorch's for the same seed, and the method of torch.Tensor.
DRAWS = {"cauchy": "cauchy_", "exponential": "exponential_", "geometric": "geometric_", "log_normal": "log_normal_",
         "normal|in_place": "normal_", "uniform": "uniform_", "bernoulli": "bernoulli", "multinomial": "multinomial"}
