import torch.nn as nn


class DropoutShortcutBlock(nn.Module):
    def __init__(self, channels, p):
        super().__init__()
        self.shortcut = nn.Dropout(p=p)
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="zeros"),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="zeros"),
        )
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(self.shortcut(x) + self.residual(x))
