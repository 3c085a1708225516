"""In the style of a JAX baseline carried over to PyTorch: one test for both kinds of block, written with the bottleneck in mind."""

from torch import nn
from torch.nn.functional import max_pool2d, relu

AGAINST = "resnet18"
OPTIONS = {"units": (2, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Baseline(num_outputs=10)"
PLANTED = "a projection in every block: the test compares the channels with filters * 4, which no basic block has"
WHERE = "conv2_x.0"
KINDS = ["projection", "option C", "1×1", "shortcut", "identity"]


class BasicResidualBlock(nn.Module):
    def __init__(self, channels, filters, strides=(1, 1)):
        super().__init__()
        needs_projection = channels != filters * 4 or strides != (1, 1)
        if needs_projection:
            self.proj_conv = nn.Conv2d(channels, filters, (1, 1), strides, bias=False)
            self.proj_bn = nn.BatchNorm2d(filters)
        self.needs_projection = needs_projection
        self.conv1 = nn.Conv2d(channels, filters, (3, 3), strides, padding=(1, 1), bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, (3, 3), padding=(1, 1), bias=False)
        self.bn2 = nn.BatchNorm2d(filters)

    def forward(self, x):
        residual = x
        if self.needs_projection:
            residual = self.proj_bn(self.proj_conv(residual))
        y = relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return relu(residual + y)


class Baseline(nn.Module):
    def __init__(self, num_outputs, num_filters=64, stage_sizes=(2, 1, 1, 1)):
        super().__init__()
        self.stem_conv = nn.Conv2d(3, num_filters, (7, 7), (2, 2), padding=(3, 3), bias=False)
        self.init_bn = nn.BatchNorm2d(num_filters)
        channels, self.block_names = num_filters, []
        for i, block_size in enumerate(stage_sizes):
            filters = num_filters * 2**i
            for j in range(block_size):
                name = f"ResidualBlock_{len(self.block_names)}"
                self.add_module(name, BasicResidualBlock(channels, filters, (2, 2) if i > 0 and j == 0 else (1, 1)))
                self.block_names.append(name)
                channels = filters
        self.output_projection = nn.Linear(channels, num_outputs)

    def forward(self, x):
        x = relu(self.init_bn(self.stem_conv(x)))
        x = max_pool2d(x, (3, 3), (2, 2), padding=(1, 1))
        representations = {"stem": x}
        for name in self.block_names:
            x = self.get_submodule(name)(x)
            representations[name] = x
        x = representations[self.block_names[-1]].mean(dim=(-2, -1))
        return self.output_projection(x)
