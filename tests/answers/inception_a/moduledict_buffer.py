from torch import nn


class InceptionA(nn.ModuleDict):
    """The four branches *are* the module. The result is written into one tensor."""

    def __init__(self, in_channels):
        c = in_channels
        super().__init__({
            "p": nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(c, 24, 1)),
            "k3": nn.Sequential(
                nn.Conv2d(c, 16, 1),
                nn.Conv2d(16, 24, 3, padding=1),
                nn.Conv2d(24, 24, 3, padding="same"),
            ),
            "k5": nn.Sequential(nn.Conv2d(c, 16, 1), nn.Conv2d(16, 24, 5, padding=2)),
            "k1": nn.Conv2d(c, 16, 1),
        })

    def forward(self, x):
        n, _, h, w = x.shape
        out = x.new_empty(n, 88, h, w)
        start = 0
        for branch in self.values():
            y = branch(x)
            out[:, start:start + y.size(1)] = y
            start += y.size(1)
        assert start == 88
        return out
