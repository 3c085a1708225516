"""In the style of the old MNIST example: the network ends in log_softmax."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Net"
PLANTED = "log_softmax inside the network, behind the fully connected layer"
WHERE = "fc"
KINDS = ["softmax"]


class ResidualBlock(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1 = nn.Conv2d(n, n, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(n, n, kernel_size=3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5)
        self.res1 = ResidualBlock(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.res2 = ResidualBlock(32)
        self.fc1 = nn.Linear(512, 10)

    def forward(self, x):
        x = self.res1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.res2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        x = self.fc1(x.view(-1, 512))
        return F.log_softmax(x, dim=1)
