from torch import nn
from utils.misc import same_padding


def conv(cin, cout, k, stride=1):
    return nn.Conv2d(cin, cout, k, stride, same_padding(k), bias=False)
