import numpy as np, pandas as pd
import torch
from torch import nn, optim
from torch.utils.data import TensorDataset, DataLoader

frame = pd.read_csv("train.csv")
x = torch.tensor(frame.values[:, 1:].reshape(-1, 3, 32, 32), dtype=torch.float32).cuda()
y = torch.tensor(frame["label"].values)

layers, width = [], 3


def conv_bn(cin, cout, stride=1):
    return [nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]


layers.extend(conv_bn(3, 16))
for w, s in ((16, 1), (32, 2), (64, 2)):
    for i in range(3):
        layers += conv_bn(width if width > 3 else 16, w, s if i == 0 else 1)
        layers.extend(conv_bn(w, w))
        width = w
net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
net.add_module("fc", nn.Linear(64, 1000))
net.fc = nn.Linear(64, 10)

opt = optim.Adam(net.parameters())
for step in range(1000):
    pick = np.random.choice(len(x), 128)
    loss = nn.functional.cross_entropy(net(x[pick]), y[pick])
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
