"""bitgrad's reference models in PyTorch: the same layers, sizes and places of quantizers (layers/models in this tree).

Stride-2 convolutions pad symmetrically here, where bitgrad follows TensorFlow's SAME: the same amount of work.
Every model takes a quantizer factory `q` with q.weight(kernel) and q.activation(), each of which makes a module; in float both
are the identity.
"""
import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Module):
    """Convolution with a quantized kernel, and batch normalization behind it if wanted."""

    def __init__(self, q, channels, filters, kernel, stride=1, same=True, bias=True, norm=False, groups=1):
        super().__init__()
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = tuple(extent // 2 for extent in kernel) if same else 0
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, bias=bias, groups=groups)
        self.quantizer = q.weight(self.conv.weight)
        self.norm = nn.BatchNorm2d(filters) if norm else None

    def forward(self, x):
        conv = self.conv
        y = F.conv2d(x, self.quantizer(conv.weight), conv.bias, conv.stride, conv.padding, groups=conv.groups)
        return self.norm(y) if self.norm is not None else y


class Dense(nn.Module):
    def __init__(self, q, inputs, units):
        super().__init__()
        self.dense = nn.Linear(inputs, units)
        self.quantizer = q.weight(self.dense.weight)

    def forward(self, x):
        return F.linear(x, self.quantizer(self.dense.weight), self.dense.bias)


def mlp(q, classes=10):
    return nn.Sequential(nn.Flatten(), q.activation(learned=False),
                         Dense(q, 784, 128), nn.ReLU(), q.activation(),
                         Dense(q, 128, 64), nn.ReLU(), q.activation(),
                         Dense(q, 64, classes))


def lenet5(q, classes=10):
    return nn.Sequential(q.activation(learned=False),
                         Conv(q, 1, 6, 5), nn.ReLU(), q.activation(), nn.MaxPool2d(2),
                         Conv(q, 6, 16, 5, same=False), nn.ReLU(), q.activation(), nn.MaxPool2d(2), nn.Flatten(),
                         Dense(q, 400, 120), nn.ReLU(), q.activation(),
                         Dense(q, 120, 84), nn.ReLU(), q.activation(),
                         Dense(q, 84, classes))


def fashion_cnn(q, classes=10):
    layers = [q.activation(learned=False)]
    for channels, filters in ((1, 16), (16, 32), (32, 64)):
        layers += [Conv(q, channels, filters, 3, bias=False, norm=True), nn.ReLU(), q.activation(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.25),
                         Dense(q, 576, 96), nn.ReLU(), q.activation(), nn.Dropout(0.25),
                         Dense(q, 96, classes))


class Stack(nn.Module):
    """A residual stack of resnet8, a residual block of resnet20 (which has normalization in the shortcut in place of biases)."""

    def __init__(self, q, channels, filters, stride, bias=True):
        super().__init__()
        self.main = nn.Sequential(Conv(q, channels, filters, 3, stride, bias=bias, norm=True), nn.ReLU(), q.activation(),
                                  Conv(q, filters, filters, 3, bias=bias, norm=True), q.activation())
        self.shortcut = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(Conv(q, channels, filters, 1, stride, bias=bias, norm=not bias), q.activation())
        self.out = q.activation()

    def forward(self, x):
        return self.out(F.relu(self.main(x) + self.shortcut(x)))


def resnet8(q, classes=10):
    return nn.Sequential(q.activation(learned=False),
                         Conv(q, 3, 16, 3, norm=True), nn.ReLU(), q.activation(),
                         Stack(q, 16, 16, 1), Stack(q, 16, 32, 2), Stack(q, 32, 64, 2),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.activation(),
                         Dense(q, 64, classes))


def resnet20(q, classes=10):
    layers = [q.activation(learned=False), Conv(q, 3, 16, 3, bias=False, norm=True), nn.ReLU(), q.activation()]
    for channels, filters in ((16, 16), (16, 32), (32, 64)):
        layers += [Stack(q, channels, filters, filters // channels, bias=False)]
        layers += [Stack(q, filters, filters, 1, bias=False) for _ in range(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.activation(), Dense(q, 64, classes))


def separable(q, channels, filters, stride=1, bias=True):
    """A depthwise convolution and one of 1x1."""
    return [Conv(q, channels, channels, 3, stride, bias=bias, norm=True, groups=channels), nn.ReLU(), q.activation(),
            Conv(q, channels, filters, 1, bias=bias, norm=True), nn.ReLU(), q.activation()]


def ds_cnn(q, classes=10):
    layers = [q.activation(learned=False), Conv(q, 1, 64, (10, 4), 2, norm=True), nn.ReLU(), q.activation(), nn.Dropout(0.2)]
    for _ in range(4):
        layers += separable(q, 64, 64)
    return nn.Sequential(*layers, nn.Dropout(0.4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.activation(), Dense(q, 64, classes))


def mobilenet_v1(q, classes=10):
    layers = [q.activation(learned=False), Conv(q, 3, 8, 3, 2, bias=False, norm=True), nn.ReLU(), q.activation()]
    channels = 8
    for filters, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        layers += separable(q, channels, filters, stride, bias=False)
        channels = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.activation(), Dense(q, 256, classes))


MODELS = {"mlp": mlp, "lenet5": lenet5, "fashion_cnn": fashion_cnn, "resnet8": resnet8, "resnet20": resnet20, "ds_cnn": ds_cnn,
          "mobilenet_v1": mobilenet_v1}
INPUT_SHAPES = {"mlp": (1, 28, 28), "lenet5": (1, 28, 28), "fashion_cnn": (1, 28, 28), "resnet8": (3, 32, 32), "resnet20": (3, 32, 32),
                "ds_cnn": (1, 49, 10), "mobilenet_v1": (3, 96, 96)}
