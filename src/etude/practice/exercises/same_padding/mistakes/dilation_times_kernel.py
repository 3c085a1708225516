def same_padding(kernel: int, dilation: int = 1) -> int:
    spread = dilation * kernel
    return spread // 2
