def same_padding(kernel: int, dilation: int = 1) -> int:
    """Half of what a convolution without padding takes away."""
    spread = dilation * (kernel - 1)
    return spread // 2
