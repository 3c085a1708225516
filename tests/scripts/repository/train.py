import gin
import torch
from models.resnet import CifarResNet
from data import loaders

gin.parse_config_file("net.gin")
net = CifarResNet(20).cuda()
train, test = loaders("/data/cifar10", workers=8)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in train:
    torch.nn.functional.cross_entropy(net(x.cuda()), y.cuda()).backward()
