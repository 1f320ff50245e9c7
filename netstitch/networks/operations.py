"""The operations a graph may hold, by name, and the kind of each. No argument is changed.

Only names listed here are ever turned into calls, so a saved graph from elsewhere cannot run
anything but tensor arithmetic.
"""

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import torch


class Kind(Enum):
    """The kind of work that an operation does, as far as cost and layout are concerned."""

    CONVOLUTION = "convolution"
    LINEAR = "linear"
    MATRIX_PRODUCT = "matrix product"
    ATTENTION = "attention"
    RECURRENT = "recurrent"
    ELEMENTWISE = "elementwise"
    NORM = "norm"
    POOLING = "pooling"
    REDUCTION = "reduction"
    RESHAPE = "reshape"
    PERMUTE = "permute"
    JOIN = "join"
    PART = "part"
    COPY = "copy"
    CREATION = "creation"
    SIZE = "size"
    OTHER = "other"


_NAMES: dict[Kind, str] = {
    Kind.CONVOLUTION: "conv1d.default conv1d.padding conv2d.default conv2d.padding conv3d.default "
    "conv3d.padding conv_transpose1d.default conv_transpose2d.input conv_transpose3d.input",
    Kind.LINEAR: "linear.default addmm.default",
    Kind.MATRIX_PRODUCT: "mm.default bmm.default matmul.default mv.default dot.default "
    "baddbmm.default addmv.default einsum.default",
    Kind.ATTENTION: "scaled_dot_product_attention.default",
    Kind.RECURRENT: "lstm.input gru.input rnn_tanh.input rnn_relu.input",
    Kind.ELEMENTWISE: "relu.default relu6.default hardtanh.default hardswish.default "
    "hardsigmoid.default sigmoid.default silu.default gelu.default tanh.default elu.default "
    "leaky_relu.default prelu.default mish.default softplus.default selu.default celu.default "
    "log_sigmoid.default threshold.default hardshrink.default softshrink.default logit.default "
    "add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar mul.Tensor mul.Scalar div.Tensor "
    "div.Scalar div.Tensor_mode pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar exp.default "
    "exp2.default expm1.default log.default log1p.default log2.default log10.default sqrt.default "
    "rsqrt.default reciprocal.default neg.default abs.default sin.default cos.default tan.default "
    "asin.default acos.default atan.default atan2.default sinh.default cosh.default sinc.default "
    "erf.default erfc.default special_erfinv.default hypot.default logaddexp.default "
    "square.default clamp.default clamp.Tensor clamp_min.default clamp_min.Tensor "
    "clamp_max.default clamp_max.Tensor minimum.default maximum.default where.self "
    "where.ScalarOther where.ScalarSelf masked_fill.Scalar masked_fill.Tensor eq.Scalar eq.Tensor "
    "ne.Scalar ne.Tensor lt.Scalar lt.Tensor le.Scalar le.Tensor gt.Scalar gt.Tensor ge.Scalar "
    "ge.Tensor logical_and.default logical_or.default logical_xor.default logical_not.default "
    "bitwise_not.default bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor __and__.Tensor "
    "__or__.Tensor __xor__.Tensor isnan.default isinf.default isfinite.default nan_to_num.default "
    "floor.default ceil.default round.default trunc.default frac.default sign.default "
    "floor_divide.default remainder.Scalar remainder.Tensor fmod.Scalar fmod.Tensor lerp.Scalar "
    "lerp.Tensor addcmul.default addcdiv.default",
    Kind.NORM: "batch_norm.default layer_norm.default native_layer_norm.default "
    "group_norm.default native_group_norm.default instance_norm.default rms_norm.default "
    "_native_batch_norm_legit.no_stats",
    Kind.POOLING: "max_pool1d.default max_pool2d.default max_pool2d_with_indices.default "
    "max_pool3d.default avg_pool1d.default avg_pool2d.default avg_pool3d.default "
    "adaptive_avg_pool1d.default adaptive_avg_pool2d.default adaptive_avg_pool3d.default "
    "adaptive_max_pool1d.default adaptive_max_pool2d.default adaptive_max_pool3d.default "
    "_adaptive_avg_pool2d.default upsample_nearest1d.vec upsample_nearest2d.default "
    "upsample_nearest2d.vec upsample_nearest3d.vec upsample_linear1d.vec "
    "upsample_bilinear2d.default upsample_bilinear2d.vec upsample_bicubic2d.vec "
    "upsample_trilinear3d.vec _upsample_nearest_exact2d.vec _upsample_bilinear2d_aa.default "
    "_upsample_bilinear2d_aa.vec _upsample_bicubic2d_aa.vec",
    Kind.REDUCTION: "mean.dim mean.default sum.dim_IntList sum.default prod.dim_int prod.default "
    "amax.default amin.default max.default min.default max.dim min.dim median.dim aminmax.default "
    "var.correction var.dim var_mean.correction std.correction std.dim argmax.default "
    "argmin.default cumsum.default cumprod.default logcumsumexp.default softmax.int "
    "_softmax.default log_softmax.int _log_softmax.default logsumexp.default nanmean.default "
    "any.dim all.dim linalg_vector_norm.default linalg_norm.default",
    Kind.RESHAPE: "view.default reshape.default _unsafe_view.default flatten.using_ints "
    "unflatten.int squeeze.dim squeeze.dims squeeze.default unsqueeze.default",
    Kind.PERMUTE: "permute.default transpose.int t.default movedim.int",
    Kind.JOIN: "cat.default stack.default",
    Kind.PART: "slice.Tensor select.int split.Tensor split_with_sizes.default chunk.default "
    "unbind.int narrow.default index.Tensor index_select.default gather.default "
    "embedding.default unfold.default im2col.default col2im.default tril.default triu.default "
    "slice_scatter.default select_scatter.default index_put.default index_add.default "
    "index_copy.default index_fill.int_Scalar scatter.value scatter.src scatter_add.default "
    "flip.default rot90.default roll.default pad.default constant_pad_nd.default "
    "reflection_pad1d.default reflection_pad2d.default replication_pad1d.default "
    "replication_pad2d.default pixel_shuffle.default pixel_unshuffle.default "
    "channel_shuffle.default native_channel_shuffle.default glu.default "
    "repeat_interleave.self_int repeat.default tile.default expand.default expand_as.default",
    Kind.COPY: "clone.default contiguous.default alias.default detach.default _to_copy.default "
    "to.dtype to.dtype_layout type_as.default lift_fresh_copy.default",
    Kind.CREATION: "full_like.default zeros_like.default ones_like.default new_full.default "
    "new_zeros.default new_ones.default arange.default arange.start arange.start_step "
    "linspace.default eye.default eye.m scalar_tensor.default empty_like.default fill.Tensor "
    "fill.Scalar copy.default",
    Kind.SIZE: "sym_size.int",
    Kind.OTHER: "grid_sampler.default grid_sampler_2d.default affine_grid_generator.default "
    "topk.default sort.default argsort.default bucketize.Tensor searchsorted.Tensor "
    "fft_fft.default fft_ifft.default fft_rfft.default fft_irfft.default fft_fft2.default "
    "fft_ifft2.default fft_rfft2.default fft_irfft2.default _fft_r2c.default _fft_c2r.default "
    "view_as_real.default view_as_complex.default hstack.default vstack.default one_hot.default "
    "meshgrid.indexing meshgrid.default outer.default diagonal.default diag_embed.default "
    "cdist.default cosine_similarity.default linalg_cross.default cross.default "
    "_weight_norm.default",
}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {f"aten.{name}": kind for kind, names in _NAMES.items() for name in names.split()}
    | {
        "getitem": Kind.PART,
        **dict.fromkeys(("int.add", "int.sub", "int.mul", "int.floordiv", "int.neg"), Kind.SIZE),
    }
)
"""The kind of every operation that may be captured, saved and loaded."""

ENUMERATIONS: Mapping[str, type] = MappingProxyType(
    {"dtype": torch.dtype, "memory_format": torch.memory_format, "layout": torch.layout}
)
"""The enumerations of torch that arguments may be members of."""

_PYTHON: Mapping[str, Callable[..., Any]] = {
    "getitem": operator.getitem,
    "int.add": operator.add,
    "int.sub": operator.sub,
    "int.mul": operator.mul,
    "int.floordiv": operator.floordiv,
    "int.neg": operator.neg,
}
_PYTHON_NAMES = {function: name for name, function in _PYTHON.items()}


def name_of(target: object) -> str:
    """Return the name of a call target of an exported graph, listed or not."""
    try:
        return _PYTHON_NAMES.get(target) or str(target)  # type: ignore[call-overload]
    except TypeError:  # one that cannot be looked up
        return str(target)


def resolve(name: str) -> Callable[..., Any]:
    """Return the function behind a listed name; raise KeyError for one that torch does not have."""
    if name not in KINDS:
        raise KeyError(name)
    if name in _PYTHON:
        return _PYTHON[name]
    _, packet, overload = name.split(".")
    try:
        function: Callable[..., Any] = getattr(getattr(torch.ops.aten, packet), overload)
    except AttributeError:
        raise KeyError(name) from None
    return function
