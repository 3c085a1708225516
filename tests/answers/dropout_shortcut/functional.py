# 捷径上加 dropout，主路不加
import torch
from torch import nn
import torch.nn.functional as F


class DropoutShortcutBlock(nn.Module):
	def __init__(self, channels, p):
		super().__init__()
		self.drop_rate = float(p)
		self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
		self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)

	def forward(self, x):
		# torch.dropout 要自己说明是不是训练
		s = torch.dropout(x, self.drop_rate, train=self.training)
		y = self.conv1(x)
		y = self.conv2(F.threshold(y, 0.0, 0.0))
		return F.threshold(s + y, 0.0, 0.0)
