import torch
import torch.nn.functional as F


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Look how many places a convolution without padding loses; half of it goes on each side."""
    n = 1 + dilation * kernel
    signal, filt = torch.zeros(1, 1, n), torch.zeros(1, 1, kernel)
    lost = n - F.conv1d(signal, filt, dilation=dilation).shape[-1]
    half, rest = divmod(lost, 2)
    assert rest == 0, "even kernel"
    return half
