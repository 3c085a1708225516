"""Going Deeper with Convolutions (Szegedy et al. 2014, arXiv 1409.4842): GoogLeNet, Table 1 and Fig. 3.

3×224×224 to 1000 classes. Every convolution has a bias and a ReLU
  conv1          64×112×112   7×7, stride 2; 3×3 max pool, stride 2; local response normalisation
  conv2          192×56×56    1×1 to 64, 3×3; local response normalisation; 3×3 max pool, stride 2
  inception_3a…b 28×28        3×3 max pool, stride 2
  inception_4a…e 14×14        auxiliary heads on 4a and 4d; 3×3 max pool, stride 2
  inception_5a…b 7×7          global average pool, dropout of 40 %, fully connected

Silent   parameters of the normalisation (5 channels, α = 10⁻⁴ divided by 5, β = 0.75, k = 1: Caffe's formula); padding of conv1 (3);
         pools reach over the edge; initial values (He, fan in)
Variants googlenet@torchvision: BN in place of bias and normalisation, 3×3 in place of the 5×5, last pool 2×2, heads pooled to 4×4
         whatever the map, dropout of 20 %
         googlenet@cifar: for 3×32×32; conv1 3×3 to 192 in place of all before 3a, BN behind every bias, two 3×3 in place of the 5×5,
         pools padded by 1, neither heads nor dropout
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.models.pieces import check_sizes

# Table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj
INCEPTION_3A, INCEPTION_3B = (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)
INCEPTION_4A, INCEPTION_4B = (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64)
INCEPTION_4C, INCEPTION_4D = (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64)
INCEPTION_4E = (256, 160, 320, 32, 128, 128)
INCEPTION_5A, INCEPTION_5B = (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)

AUXILIARY_WEIGHT = 0.3  # section 5


class Conv(nn.Module):
    """relu(conv(x)): "all the convolutions use rectified linear activation" (section 5)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class ConvBN(nn.Module):
    """relu(BN(conv(x))), without a bias (torchvision)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class BiasedConvBN(nn.Module):
    """relu(BN(conv(x))), with a bias that BN takes off again (kuangliu)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Inception(nn.Module):
    """Four branches joined along the channels (Fig. 2b): N×in×H×W to N×(n1x1 + n3x3 + n5x5 + pool_proj)×H×W."""

    conv: ClassVar[type[Conv | ConvBN | BiasedConvBN]] = Conv
    largest: ClassVar[int] = 5

    def __init__(self, in_channels: int, n1x1: int, reduce_3x3: int, n3x3: int, reduce_5x5: int, n5x5: int, pool_proj: int) -> None:
        super().__init__()
        self.branch1x1 = self.conv(in_channels, n1x1, 1)
        self.reduce_3x3 = self.conv(in_channels, reduce_3x3, 1)
        self.branch3x3 = self.conv(reduce_3x3, n3x3, 3)
        self.reduce_5x5 = self.conv(in_channels, reduce_5x5, 1)
        self.branch5x5: nn.Module = self.conv(reduce_5x5, n5x5, self.largest)
        self.pool_proj = self.conv(in_channels, pool_proj, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch1x1 = self.branch1x1(x)
        branch3x3 = self.branch3x3(self.reduce_3x3(x))
        branch5x5 = self.branch5x5(self.reduce_5x5(x))
        branch_pool = self.pool_proj(F.max_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([branch1x1, branch3x3, branch5x5, branch_pool], dim=1)


class TorchvisionInception(Inception):
    """With BN, and 3×3 where the paper has 5×5 (torchvision)."""

    conv, largest = ConvBN, 3


class CifarInception(Inception):
    """With BN behind biases, and two 3×3 where the paper has a 5×5 (kuangliu)."""

    conv, largest = BiasedConvBN, 3

    def __init__(self, in_channels: int, n1x1: int, reduce_3x3: int, n3x3: int, reduce_5x5: int, n5x5: int, pool_proj: int) -> None:
        super().__init__(in_channels, n1x1, reduce_3x3, n3x3, reduce_5x5, n5x5, pool_proj)
        self.branch5x5 = nn.Sequential(self.branch5x5, self.conv(n5x5, n5x5, 3))


class AuxiliaryHead(nn.Module):
    """A classifier on 14×14 maps (section 5): 5×5 average pool of stride 3, 1×1 to 128, 1024 features, dropout of 70 %, logits."""

    conv: ClassVar[type[Conv | ConvBN]] = Conv

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = self.conv(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, classes)

    def pool(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel_size=5, stride=3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.pool(x)).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


class TorchvisionHead(AuxiliaryHead):
    """With BN, and pooled to 4×4 whatever the size of the map (torchvision)."""

    conv = ConvBN

    def pool(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, (4, 4))


class GoogLeNet(nn.Module):
    """GoogLeNet as published: N×3×224×224 to N×classes.

    auxiliary  with the two heads that only training sees
    """

    conv: ClassVar[type[Conv | ConvBN]] = Conv
    inception: ClassVar[type[Inception]] = Inception
    head: ClassVar[type[AuxiliaryHead]] = AuxiliaryHead
    dropout_share: ClassVar[float] = 0.4
    last_pool: ClassVar[int] = 3

    def __init__(self, *, auxiliary: bool = True, classes: int = 1000) -> None:
        super().__init__()
        check_sizes(classes=classes)
        self.conv1 = self.conv(3, 64, 7, stride=2)
        self.conv2_reduce = self.conv(64, 64, 1)
        self.conv2 = self.conv(64, 192, 3)
        self.inception_3a = self.inception(192, *INCEPTION_3A)
        self.inception_3b = self.inception(256, *INCEPTION_3B)
        self.inception_4a = self.inception(480, *INCEPTION_4A)
        self.inception_4b = self.inception(512, *INCEPTION_4B)
        self.inception_4c = self.inception(512, *INCEPTION_4C)
        self.inception_4d = self.inception(512, *INCEPTION_4D)
        self.inception_4e = self.inception(528, *INCEPTION_4E)
        self.inception_5a = self.inception(832, *INCEPTION_5A)
        self.inception_5b = self.inception(832, *INCEPTION_5B)
        self.aux1 = self.head(512, classes) if auxiliary else None
        self.aux2 = self.head(528, classes) if auxiliary else None
        self.dropout = nn.Dropout(self.dropout_share)
        self.fc = nn.Linear(1024, classes)
        self.apply(initialise)

    def local_response_norm(self, x: Tensor) -> Tensor:
        return F.local_response_norm(x, size=5, alpha=1e-4, beta=0.75)

    def up_to_4a(self, x: Tensor) -> Tensor:
        x = max_pool(self.conv1(x))
        x = self.conv2(self.conv2_reduce(self.local_response_norm(x)))
        x = max_pool(self.local_response_norm(x))
        x = max_pool(self.inception_3b(self.inception_3a(x)))
        return self.inception_4a(x)

    def up_to_4d(self, x: Tensor) -> Tensor:
        return self.inception_4d(self.inception_4c(self.inception_4b(x)))

    def from_4e(self, x: Tensor) -> Tensor:
        x = max_pool(self.inception_4e(x), kernel=self.last_pool)
        x = self.inception_5b(self.inception_5a(x))
        return self.fc(self.dropout(x.mean(dim=(2, 3))))

    def forward(self, x: Tensor) -> Tensor:
        return self.from_4e(self.up_to_4d(self.up_to_4a(x)))

    def outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """The logits and, with heads, those of the heads on 4a and on 4d; each N×classes."""
        if self.aux1 is None or self.aux2 is None:
            return (self(x),)
        x = self.up_to_4a(x)
        aux1 = self.aux1(x)
        x = self.up_to_4d(x)
        aux2 = self.aux2(x)
        return self.from_4e(x), aux1, aux2

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Of a batch of images and their labels."""
        return self.loss_of(self.outputs(x), y)

    def loss_of(self, outputs: tuple[Tensor, ...], y: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of the logits plus 0.3 times that of each head (section 5)."""
        own, *heads = (F.cross_entropy(logits, y, label_smoothing=label_smoothing) for logits in outputs)
        return own + AUXILIARY_WEIGHT * sum(heads)


class TorchvisionGoogLeNet(GoogLeNet):
    """torchvision's GoogLeNet, whose weights it takes: N×3×224×224 to N×classes."""

    conv, inception, head = ConvBN, TorchvisionInception, TorchvisionHead
    dropout_share, last_pool = 0.2, 2

    def local_response_norm(self, x: Tensor) -> Tensor:
        return x


class CifarGoogLeNet(nn.Module):
    """kuangliu's GoogLeNet for CIFAR, from 3a on that of Table 1 with other pools: N×3×32×32 to N×classes."""

    def __init__(self, *, classes: int = 10) -> None:
        super().__init__()
        check_sizes(classes=classes)
        self.conv1 = BiasedConvBN(3, 192, 3)
        self.inception_3a = CifarInception(192, *INCEPTION_3A)
        self.inception_3b = CifarInception(256, *INCEPTION_3B)
        self.inception_4a = CifarInception(480, *INCEPTION_4A)
        self.inception_4b = CifarInception(512, *INCEPTION_4B)
        self.inception_4c = CifarInception(512, *INCEPTION_4C)
        self.inception_4d = CifarInception(512, *INCEPTION_4D)
        self.inception_4e = CifarInception(528, *INCEPTION_4E)
        self.inception_5a = CifarInception(832, *INCEPTION_5A)
        self.inception_5b = CifarInception(832, *INCEPTION_5B)
        self.fc = nn.Linear(1024, classes)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inception_3b(self.inception_3a(self.conv1(x)))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.inception_4c(self.inception_4b(self.inception_4a(x)))
        x = self.inception_4e(self.inception_4d(x))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.inception_5b(self.inception_5a(x))
        return self.fc(x.mean(dim=(2, 3)))


def max_pool(x: Tensor, kernel: int = 3) -> Tensor:
    """Stride 2; windows reach over the edge, so that 112 becomes 56."""
    return F.max_pool2d(x, kernel, stride=2, ceil_mode=True)


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """He et al. 2015, fan in; biases 0. The paper says nothing."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
