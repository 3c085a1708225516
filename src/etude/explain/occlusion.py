"""Where in an image a network sees its answer: what is lost of an answer's probability when a part of the image is hidden."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CELLS = 8  # along each side
WINDOW = 2  # cells along each side of what is hidden at once
BATCH = 27  # of the 81 places that a window has


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Of one image and one output.

    whole   its probability with nothing hidden
    least   and with that window hidden which lowers it most
    heat    cells×cells float64: how much of the probability is lost on average under the windows over a cell; below 0 where it rises
    """

    whole: float
    least: float
    heat: Tensor

    @property
    def place(self) -> str:
        """Where most is lost: "upper left", "centre"."""
        row, column = divmod(int(self.heat.argmax()), CELLS)
        down, across = (("upper", "", "lower")[row * 3 // CELLS], ("left", "", "right")[column * 3 // CELLS])
        return " ".join(filter(None, (down, across))) or "centre"


@torch.no_grad()
def occlusion(module: nn.Module, image: Tensor, output: int, hidden: Tensor) -> Occlusion:
    """Hide a window of the image at every place, one after the other, and see what becomes of the output's probability.

    image   C×H×W, as the module takes it in a batch; `hidden`, C×1×1 or C×H×W, stands in place of what is hidden
    """
    places = [(row, column) for row in range(1 - WINDOW, CELLS) for column in range(1 - WINDOW, CELLS)]
    covered = torch.stack([window(row, column) for row, column in places])
    masks = nn.functional.interpolate(covered[:, None], size=image.shape[1:]).to(image)
    likely = torch.cat([module(image + some * (hidden - image)).softmax(1)[:, output] for some in masks.split(BATCH)]).double().cpu()
    whole = float(module(image[None]).softmax(1)[0, output])
    lost = (whole - likely)[:, None, None] * covered
    return Occlusion(whole, float(likely.min()), lost.sum(0) / covered.sum(0))


def window(row: int, column: int) -> Tensor:
    """Which cells the window covers that begins there, cells×cells float64 of 0 and 1; at an edge it may begin outside."""
    cells = torch.zeros(CELLS, CELLS, dtype=torch.float64)
    cells[max(0, row) : row + WINDOW, max(0, column) : column + WINDOW] = 1
    return cells
