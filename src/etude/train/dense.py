"""A dense block in one buffer: the function and the gradients of the block as it is written, with a fraction of its memory.

Every layer reads all maps before it, so a block that concatenates keeps each map, as it is and normalised, as often as there are layers
behind it. Here a map is written once into the buffer of its block, its mean and variance are taken once for all layers that normalise
it, and what a layer normalises is made again for its gradients (as Pleiss et al. 2017 do, arXiv 1707.06990): for a few images at a
time, so that it is read from a processor's cache. What has to be subtracted from a gradient because of those means and variances is
two numbers a map and layer; they are added up, and subtracted once a map.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from etude.models.densenet import BottleneckLayer, DenseLayer
from etude.train.compiling import untouched

TRIED = 2  # images, to find out what it keeps
CACHE = 2**22  # bytes of maps a thread that several passes go over before the next ones; by measurement, 2**20 to 2**24
WIDE = 192  # numbers in a row from which on sums over rows are fast


def blocks(model: nn.Module) -> list[nn.Module]:
    """The dense blocks of a network that can: without dropout, and by the statistics of this process."""
    chains = (module for module in model.modules() if isinstance(module, nn.Sequential) and len(module))
    return [chain for chain in chains if all(map(is_plain, chain))]


def is_plain(layer: nn.Module) -> bool:
    """Whether it is a dense layer that can."""
    if not isinstance(layer, (DenseLayer, BottleneckLayer)):
        return False
    norms = (layer.norm1, layer.norm2) if isinstance(layer, BottleneckLayer) else (layer.norm1,)
    return isinstance(layer.dropout, nn.Identity) and all(type(norm) is nn.BatchNorm2d for norm in norms)


def in_one_buffer(model: nn.Module) -> None:
    """Let the dense blocks of a network train in one buffer each. Names and values of all parameters stay."""
    for block in blocks(model):
        block.__class__ = DenseBlock


def needed(learner: nn.Module, x: Tensor, y: Tensor, images: int) -> float:
    """GiB that a network keeps for the gradients of so many images, by the first of these."""
    x, y = x[:TRIED], y[:TRIED]
    return kept(learner, x, y) * images / len(x) / 2**30


def kept(learner: nn.Module, x: Tensor, y: Tensor) -> int:
    """The bytes that it keeps of these images for their gradients."""
    sizes = dict[int, int]()

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with untouched(learner), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _result = learner(x, y)  # as long as it is there, nothing that was kept is given back
    return sum(sizes.values())


class DenseBlock(nn.Sequential):
    """Plain dense layers, N×C×H×W to N×(C + layers·k)×H×W: trains in one buffer, on a processor and in one precision; otherwise as it is
    written.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return nn.Sequential.forward(self, x)  # type: ignore[no-untyped-call]
        output: Tensor = OneBuffer.apply(self, x, *self.parameters())  # type: ignore[no-untyped-call]
        return output


@dataclass(frozen=True)
class Maps:
    """Maps side by side: pixels N×H×W×C, and the mean and variance of each over N, H and W."""

    pixels: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def room(cls, like: Tensor, size: tuple[int, ...]) -> "Maps":
        return cls(like.new_empty(size), like.new_empty(size[-1]), like.new_empty(size[-1]))

    def __getitem__(self, maps: slice) -> "Maps":
        return Maps(self.pixels[..., maps], self.mean[maps], self.variance[maps])

    @property
    def rows(self) -> int:
        """Pixels of a map."""
        return self.pixels.numel() // self.pixels.shape[-1]

    def measure(self, pixels: Tensor) -> None:
        """Take means and variances of the maps, which are given once more in a tensor of their own."""
        maps = pixels.shape[-1]
        side_by_side = next(count for count in range(max(1, WIDE // maps), 0, -1) if self.rows % count == 0)
        rows = pixels.view(-1, side_by_side * maps)
        self.mean.copy_(rows.sum(0).view(side_by_side, maps).sum(0) / self.rows)
        squares = torch.zeros_like(rows[0])
        for part in parts(rows):
            squares += (rows[part] - self.mean.repeat(side_by_side)).square_().sum(0)
        self.variance.copy_(squares.view(side_by_side, maps).sum(0) / self.rows)

    def inverse_deviation(self, norm: nn.BatchNorm2d) -> Tensor:
        return torch.rsqrt(self.variance + norm.eps)

    def move_statistics(self, norm: nn.BatchNorm2d) -> None:
        """Move the running statistics of a normalisation towards them, as nn.BatchNorm2d does."""
        assert norm.momentum is not None and norm.running_mean is not None and norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(self.mean, norm.momentum)
        norm.running_var.lerp_(self.variance * (self.rows / (self.rows - 1)), norm.momentum)


Part = Callable[[slice], Tensor]  # of some of the images, n×H×W×C


@dataclass(frozen=True)
class Gradients:
    """Gradients of maps, on their way: of `pixels`, a map's `constant`, and `slope` times its distance from the mean, go off."""

    pixels: Tensor
    constant: Tensor
    slope: Tensor

    @classmethod
    def of(cls, pixels: Tensor) -> "Gradients":
        return cls(pixels, pixels.new_zeros(pixels.shape[-1]), pixels.new_zeros(pixels.shape[-1]))

    def __getitem__(self, maps: slice) -> "Gradients":
        return Gradients(self.pixels[..., maps], self.constant[maps], self.slope[maps])

    def whole(self, maps: Maps) -> Part:
        """What gives them for some of the images, the part of the maps' own means and variances in it."""
        constant = maps.mean * self.slope - self.constant

        def part(images: slice) -> Tensor:
            out = torch.empty_like(self.pixels[images], memory_format=torch.contiguous_format)
            return torch.addcmul(constant, maps.pixels[images], self.slope, value=-1, out=out).add_(self.pixels[images])

        return part


class OneBuffer(torch.autograd.Function):
    """A dense block by its input and its parameters, in the order in which the block has them."""

    @staticmethod
    def forward(ctx: Any, block: DenseBlock, x: Tensor, *parameters: Tensor) -> Tensor:
        pixels = channels_last(x).contiguous()
        *size, channels = pixels.shape
        growth_rate = convolutions(block[0])[-1].out_channels
        ends = [channels + growth_rate * index for index in range(len(block) + 1)]
        maps = Maps.room(x, (*size, ends[-1]))
        maps.pixels[..., :channels] = pixels
        maps[:channels].measure(pixels)
        between = list[Maps]()
        for layer, start, end in zip(block, ends, ends[1:], strict=False):
            assert isinstance(layer, (DenseLayer, BottleneckLayer))
            norm, before = layer.norm1, maps[:start]
            if isinstance(layer, BottleneckLayer):
                between.append(Maps.room(x, (*size, layer.conv1.out_channels)))
                forth(before, norm, layer.conv1, between[-1].pixels)
                between[-1].measure(between[-1].pixels)
                norm, before = layer.norm2, between[-1]
            new = x.new_empty((*size, growth_rate))
            forth(before, norm, convolutions(layer)[-1], new)
            maps.pixels[..., start:end] = new
            maps[start:end].measure(new)
        ctx.block, ctx.ends = block, ends
        ctx.save_for_backward(*(tensor for one in (maps, *between) for tensor in (one.pixels, one.mean, one.variance)))
        return maps.pixels.movedim(-1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        maps, *between = (Maps(*saved[index : index + 3]) for index in range(0, len(saved), 3))
        gradients = Gradients.of(channels_last(gradient).clone(memory_format=torch.contiguous_format))
        of_parameters = list[Tensor]()
        for layer, start, end in reversed(list(zip(ctx.block, ctx.ends, ctx.ends[1:], strict=False))):
            of_layer, behind = list[Tensor](), gradients[start:end].whole(maps[start:end])
            if isinstance(layer, BottleneckLayer):
                hidden = between.pop()
                of_hidden = Gradients.of(torch.zeros_like(hidden.pixels))
                of_layer = back(hidden, layer.norm2, layer.conv2, behind, of_hidden)
                behind = of_hidden.whole(hidden)
            of_layer = back(maps[:start], layer.norm1, layer.conv1, behind, gradients[:start]) + of_layer
            of_parameters = of_layer + of_parameters
        before = slice(ctx.ends[0])
        of_input = gradients[before].whole(maps[before])(slice(None))
        return None, of_input.movedim(-1, 1), *of_parameters


def forth(maps: Maps, norm: nn.BatchNorm2d, convolution: nn.Conv2d, out: Tensor) -> None:
    """BN, ReLU and a convolution of the maps into `out`, N×H×W×k."""
    maps.move_statistics(norm)
    scale = norm.weight * maps.inverse_deviation(norm)
    shift = norm.bias - maps.mean * scale
    room = torch.empty_like(maps.pixels[next(parts(maps.pixels))], memory_format=torch.contiguous_format)
    for images in parts(maps.pixels):
        activated = torch.addcmul(shift, maps.pixels[images], scale, out=room[: len(out[images])]).relu_()
        out[images] = channels_last(F.conv2d(activated.movedim(-1, 1), convolution.weight, padding=convolution.padding))


def back(maps: Maps, norm: nn.BatchNorm2d, convolution: nn.Conv2d, behind: Part, gradients: Gradients) -> list[Tensor]:
    """Back through the same, `behind` being the gradient of what came out: adds to those of the maps, returns those of the parameters."""
    inverse = maps.inverse_deviation(norm)
    scale = norm.weight * inverse
    bias, weight, kernel = torch.zeros_like(scale), torch.zeros_like(scale), torch.zeros_like(convolution.weight)
    rooms = [torch.empty_like(maps.pixels[next(parts(maps.pixels))], memory_format=torch.contiguous_format) for _ in range(2)]
    for images in parts(maps.pixels):
        pixels = maps.pixels[images]
        centred = torch.sub(pixels, maps.mean, out=rooms[0][: len(pixels)])
        activated = torch.addcmul(norm.bias, centred, scale, out=rooms[1][: len(pixels)]).relu_()
        of_activated, of_kernel, _ = torch.ops.aten.convolution_backward(
            behind(images).movedim(-1, 1), activated.movedim(-1, 1), convolution.weight, None,
            [1, 1], convolution.padding, [1, 1], False, [0, 0], 1, [True, True, False],
        )  # fmt: skip
        active = torch.ops.aten.threshold_backward(channels_last(of_activated), activated, 0.0)
        gradients.pixels[images].addcmul_(active, scale)
        kernel += of_kernel
        bias += active.sum((0, 1, 2))
        weight += centred.mul_(active).sum((0, 1, 2))
    weight *= inverse
    gradients.constant.add_(scale * bias / maps.rows)
    gradients.slope.add_(scale * inverse * weight / maps.rows)
    return [weight, bias, kernel]


def channels_last(x: Tensor) -> Tensor:
    """N×C×H×W as N×H×W×C."""
    return x.movedim(1, -1)


def convolutions(layer: nn.Module) -> list[nn.Conv2d]:
    return [module for module in layer.children() if isinstance(module, nn.Conv2d)]


def parts(pixels: Tensor) -> Iterator[slice]:
    """Of what lies along the first dimension, as many at a time as the cache takes."""
    step = max(1, CACHE * torch.get_num_threads() // (pixels.element_size() * pixels[0].numel()))
    return (slice(start, start + step) for start in range(0, len(pixels), step))
