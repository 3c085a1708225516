"""In the style of a file that grew: a 1×1 from an abandoned experiment is still declared."""

from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Grown"
PLANTED = "a 1×1 convolution is declared and never used"
WHERE = ""
KINDS = ["never used", "unused", "gradient", "not used"]


class Grown(nn.Module):
    def __init__(self):
        super().__init__()
        pad = {"kernel_size": 3, "padding": 1}
        self.low = nn.Sequential(nn.Conv2d(1, 16, 5), nn.MaxPool2d(2), nn.ReLU())
        self.low_branch = nn.Sequential(nn.Conv2d(16, 16, **pad), nn.ReLU(), nn.Conv2d(16, 16, **pad))
        self.high = nn.Sequential(nn.Conv2d(16, 32, 5), nn.MaxPool2d(2), nn.ReLU())
        self.high_branch = nn.Sequential(nn.Conv2d(32, 32, **pad), nn.ReLU(), nn.Conv2d(32, 32, **pad))
        self.high_shortcut = nn.Conv2d(32, 32, 1)
        self.classify = nn.Linear(512, 10)

    def forward(self, x):
        x = self.low(x)
        x = (x + self.low_branch(x)).relu()
        x = self.high(x)
        x = (x + self.high_branch(x)).relu()
        return self.classify(x.flatten(1))
