"""Fake quantization in PyTorch in the ways in which people do it. Weights have a scale per output channel, activations one per
tensor. All are signed; bitgrad's are unsigned behind a ReLU, which changes bounds, not the work.

written   LSQ from its equations (Esser et al., ICLR 2020), composed of elementwise operations and detach(): the way of most
          published code
function  the same as a torch.autograd.Function with a backward pass of its own
learnable torch._fake_quantize_learnable_per_tensor_affine and _per_channel_affine
builtin   torch.ao.quantization.FakeQuantize with moving-average observers: nothing learned, scales follow minimum and maximum
none      float
"""
import math

import torch
from torch import nn


class Grid:
    """Integer bounds and the axis of the scales."""

    def __init__(self, bits, per_channel):
        self.lo, self.hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.per_channel = per_channel

    def start_scale(self, tensor):
        """2 mean|x| / sqrt(hi), the paper's start."""
        magnitude = tensor.detach().abs()
        mean = magnitude.flatten(1).mean(1) if self.per_channel else magnitude.mean().reshape(1)
        return 2 * mean / math.sqrt(self.hi)

    def gradient_factor(self, tensor):
        elements = tensor.numel() // tensor.shape[0]  # per output channel, or per sample
        return 1 / math.sqrt(elements * self.hi)


class Learned(nn.Module):
    """A quantizer with a scale to learn; activations start from their first batch."""

    def __init__(self, bits, weight=None, learned=True):
        super().__init__()
        self.grid = Grid(bits, weight is not None)
        start = self.grid.start_scale(weight) if weight is not None else torch.full((1,), 0.02)
        self.scale = nn.Parameter(start, requires_grad=learned)

    def shaped_scale(self, x):
        return self.scale.reshape(-1, *[1] * (x.dim() - 1)) if self.grid.per_channel else self.scale


class Written(Learned):
    def forward(self, x):
        factor = self.grid.gradient_factor(x)
        scale = self.shaped_scale(x)
        scale = scale * factor + (scale - scale * factor).detach()
        level = torch.clamp(x / scale, self.grid.lo, self.grid.hi)
        level = level + (torch.round(level) - level).detach()
        return level * scale


class LsqFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, lo, hi, factor):
        level = x / scale
        ctx.save_for_backward(level, scale)
        ctx.constants = lo, hi, factor
        return level.clamp(lo, hi).round() * scale

    @staticmethod
    def backward(ctx, dy):
        level, scale = ctx.saved_tensors
        lo, hi, factor = ctx.constants
        inside = (level >= lo) & (level <= hi)
        dx = dy * inside if ctx.needs_input_grad[0] else None
        dscale = None
        if ctx.needs_input_grad[1]:
            slope = torch.where(inside, level.round() - level, level.clamp(lo, hi))
            dscale = (dy * slope * factor).sum_to_size(scale.shape)
        return dx, dscale, None, None, None


class Function(Learned):
    def forward(self, x):
        return LsqFunction.apply(x, self.shaped_scale(x), self.grid.lo, self.grid.hi, self.grid.gradient_factor(x))


class Learnable(Learned):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.register_buffer("zero_point", torch.zeros_like(self.scale))

    def forward(self, x):
        lo, hi, factor = self.grid.lo, self.grid.hi, self.grid.gradient_factor(x)
        if self.grid.per_channel:
            return torch._fake_quantize_learnable_per_channel_affine(x, self.scale, self.zero_point, 0, lo, hi, factor)
        return torch._fake_quantize_learnable_per_tensor_affine(x, self.scale, self.zero_point, lo, hi, factor)


def built_in(bits, weight=None, learned=True):
    from torch.ao import quantization as aoq
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    common = dict(quant_min=lo, quant_max=hi, dtype=torch.qint8)
    if weight is not None:
        return aoq.FakeQuantize(observer=aoq.MovingAveragePerChannelMinMaxObserver, qscheme=torch.per_channel_symmetric, ch_axis=0,
                                **common)
    return aoq.FakeQuantize(observer=aoq.MovingAverageMinMaxObserver, qscheme=torch.per_tensor_symmetric, **common)


MAKERS = {"written": Written, "function": Function, "learnable": Learnable, "builtin": built_in}


class Quantizers:
    """Makes the quantizers of a model."""

    def __init__(self, kind, bits):
        self.maker, self.bits = MAKERS.get(kind), bits

    def weight(self, kernel):
        return self.maker(self.bits, weight=kernel) if self.maker else nn.Identity()

    def activation(self, learned=True):
        return self.maker(self.bits, learned=learned) if self.maker else nn.Identity()
