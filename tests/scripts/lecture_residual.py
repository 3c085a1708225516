# -*- coding: utf-8 -*-
# 残差网络，MNIST
import os, time
import torch, torchvision, numpy as np
import torch.nn as nn, torch.nn.functional as F

torch.manual_seed(0)
BATCH = 64
CHANNELS = (16, 32)
log = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "trained.txt"), "w")
log.write("training began\n")


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x):
        y = F.relu(self.conv1(x))
        y = self.conv2(y)
        return F.relu(x + y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        a, b = CHANNELS
        self.conv1 = nn.Conv2d(1, a, kernel_size=5)
        self.conv2 = nn.Conv2d(a, b, kernel_size=5)
        self.mp = nn.MaxPool2d(2)
        self.rblock1 = ResidualBlock(a)
        self.rblock2 = ResidualBlock(b)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        in_size = x.size(0)
        x = self.mp(F.relu(self.conv1(x)))
        x = self.rblock1(x)
        x = self.mp(F.relu(self.conv2(x)))
        x = self.rblock2(x)
        x = x.view(in_size, -1)
        return self.fc(x)

    def fit(self, loader):
        for x, y in loader:
            loss = F.cross_entropy(self(x), y)
            loss.backward()


def load(train):
    return torch.utils.data.DataLoader(torchvision.datasets.MNIST("data", train=train, download=True), batch_size=BATCH)


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


model = Net()
if torch.cuda.is_available():
    model = model.cuda()
loader = load(True); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
begin = time.time()
for epoch in range(10):
    model = train(model, loader, optimizer)
    open("epoch%d.txt" % epoch, "w").close()
torch.save(model.state_dict(), "lecture.pth")
