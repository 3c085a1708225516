def same_padding(kernel: int, dilation: int = 1) -> int:
    return 1
