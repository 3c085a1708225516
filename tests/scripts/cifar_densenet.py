import math, sys, wandb

try:
    from apex import amp
except ImportError:
    amp = None
import torch
from torch import nn
from torch.nn import functional as F

sys.path.append("..")
from common.data import get_cifar
import torch.utils.checkpoint as cp

wandb.init(project="densenet")
config = dict(depth=22, growth=12)
config["layers"] = (config["depth"] - 4) // 3
config.update(classes=10)
trainset, testset = get_cifar("~/data")


class Layer(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.bn = nn.BatchNorm2d(c)
        self.conv = nn.Conv2d(c, k, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(F.relu(self.bn(x)))], 1)


class Transition(nn.Sequential):
    def __init__(self, c):
        super().__init__(nn.BatchNorm2d(c), nn.ReLU(inplace=True), nn.Conv2d(c, c, 1, bias=False), nn.AvgPool2d(2))


class DenseNet(nn.Module):
    def __init__(self, k=config["growth"], n=config["layers"]):
        super().__init__()
        c, parts = 16, [nn.Conv2d(3, 16, 3, padding=1, bias=False)]
        for block in range(3):
            for _ in range(n):
                parts.append(Layer(c, k))
                c += k
            if block < 2:
                parts.append(Transition(c))
        self.features = nn.Sequential(*parts, nn.BatchNorm2d(c), nn.ReLU())
        self.classifier = nn.Linear(c, config["classes"])
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, 0, math.sqrt(2.0 / (m.kernel_size[0] ** 2 * m.out_channels)))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


net = DenseNet().to("cuda")
if amp is not None:
    net, opt = amp.initialize(net, torch.optim.SGD(net.parameters(), 0.1))
wandb.watch(net)
n = len(trainset)
