"""Real images in the shape that a network takes, for what depends on them: gradients and activations."""

from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from etude.data import catalog, declaration, load

MOST_PADDING = 4


def real_images(shape: tuple[int, int, int], count: int, source: str = "mnist", data_dir: Path | None = None) -> tuple[Tensor, Tensor]:
    """The first `count` training images of a data set as N×C×H×W with mean 0 and spread 1, and their labels.

    shape   (channels, height, width) of the network's images: grey ones are repeated for every channel, and colours made grey for a single
            one; a few pixels more are filled with the background, as 28×28 becomes 32×32; any other size is reached by bilinear
            interpolation
    source, data_dir  a data set of Etude's ("mnist"; "strokes" are drawn from a seed, with no download) or a folder, as for `data.load`
    Raises  as `etude.data.load`
    """
    known = source if source in catalog.names() else declaration.declared(Path(source))
    split = load(source, image=catalog.row(known).image if known else (1, 28, 28), data_dir=data_dir).train
    x = split.images[:count].float() / 255
    missing = [side - own for side, own in zip(shape[1:], x.shape[2:], strict=True)]
    if all(0 <= pixels <= MOST_PADDING for pixels in missing):
        (top, bottom), (left, right) = ((pixels // 2, pixels - pixels // 2) for pixels in missing)
        x = F.pad(x, (left, right, top, bottom))
    else:
        x = F.interpolate(x, size=shape[1:], mode="bilinear", antialias=True)
    if x.shape[1] != shape[0]:
        x = x.mean(1, keepdim=True).expand(-1, shape[0], -1, -1)
    return ((x - x.mean()) / x.std()).contiguous(), split.labels[:count]
