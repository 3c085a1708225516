"""In the style of an image-model zoo: keyword arguments all the way down, a factory per depth, and "v1.5" in nobody's docstring."""

from functools import partial

from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "resnet14t(num_classes=10)"
PLANTED = "the stride of a bottleneck stands in its 3×3, not in its first 1×1"
WHERE = "conv3_x.0"
KINDS = ["stride"]


class ConvNormAct(nn.Sequential):
    def __init__(self, in_chs, out_chs, kernel_size, stride=1, norm_layer=nn.BatchNorm2d, act_layer=None):
        super().__init__()
        self.add_module("conv", nn.Conv2d(in_chs, out_chs, kernel_size, stride, (kernel_size - 1) // 2, bias=False))
        self.add_module("norm", norm_layer(out_chs))
        if act_layer is not None:
            self.add_module("act", act_layer())


class BottleneckBlock(nn.Module):
    def __init__(self, in_chs, mid_chs, stride=1, expansion=4, act_layer=nn.ReLU):
        super().__init__()
        out_chs = mid_chs * expansion
        self.reduce = ConvNormAct(in_chs, mid_chs, 1, act_layer=act_layer)
        self.spatial = ConvNormAct(mid_chs, mid_chs, 3, stride, act_layer=act_layer)
        self.expand = ConvNormAct(mid_chs, out_chs, 1)
        self.downsample = ConvNormAct(in_chs, out_chs, 1, stride) if in_chs != out_chs or stride > 1 else None
        self.act = act_layer()

    def forward(self, x):
        identity = x
        x = self.expand(self.spatial(self.reduce(x)))
        if self.downsample is not None:
            identity = self.downsample(identity)
        return self.act(x + identity)


class ImageModel(nn.Module):
    def __init__(self, block, depths, num_classes=1000, stem_chs=64, in_chans=3):
        super().__init__()
        self.num_features = stem_chs
        self.stem = ConvNormAct(in_chans, stem_chs, 7, 2, act_layer=nn.ReLU)
        self.stem_pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stages = nn.Sequential()
        for index, depth in enumerate(depths):
            mid_chs = stem_chs << index
            blocks = []
            for number in range(depth):
                stride = 2 if index > 0 and number == 0 else 1
                blocks.append(block(self.num_features, mid_chs, stride=stride))
                self.num_features = mid_chs * 4
            self.stages.add_module(str(index), nn.Sequential(*blocks))
        self.head_pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(self.num_features, num_classes)

    def forward_features(self, x):
        x = self.stem(x)
        x = self.stem_pool(x)
        return self.stages(x)

    def forward_head(self, x):
        return self.head(self.head_pool(x).flatten(1))

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


resnet14t = partial(ImageModel, BottleneckBlock, [1, 1, 1, 1])
