"""In the style of a table-driven builder with one wrong number in the table."""

import torch
import torch.nn as nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "TableNet"
PLANTED = "the 5×5 of the first module is a 3×3"
WHERE = "incep1"
KINDS = ["kernel", "3×3", "5×5"]

BRANCHES = {
    "one": {1: [(16, 1)], 2: [(16, 1)]},
    "five": {1: [(16, 1), (24, 3)], 2: [(16, 1), (24, 5)]},
    "three": {1: [(16, 1), (24, 3), (24, 3)], 2: [(16, 1), (24, 3), (24, 3)]},
    "pool": {1: ["pool", (24, 1)], 2: ["pool", (24, 1)]},
}


def branch(width, rows):
    layers = []
    for row in rows:
        if row == "pool":
            layers.append(nn.AvgPool2d(3, 1, 1))
        else:
            layers.append(nn.Conv2d(width, row[0], row[1], padding=row[1] // 2))
            width = row[0]
    return nn.Sequential(*layers)


class Module(nn.Module):
    def __init__(self, number, width):
        super().__init__()
        self.branches = nn.ModuleDict({name: branch(width, rows[number]) for name, rows in BRANCHES.items()})

    def forward(self, x):
        return torch.cat([b(x) for b in self.branches.values()], dim=1)


class TableNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), Module(1, 10), nn.Conv2d(88, 20, 5), nn.MaxPool2d(2), nn.ReLU(), Module(2, 20)
        )
        self.head = nn.Linear(88 * 16, 10)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
