def same_padding(kernel: int, dilation: int = 1) -> int:
    raise NotImplementedError  # TODO
