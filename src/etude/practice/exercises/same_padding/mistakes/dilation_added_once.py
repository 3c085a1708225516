def same_padding(kernel: int, dilation: int = 1) -> int:
    spread = kernel - 1 + dilation - 1
    return spread // 2
