def conv_macs(in_channels: int, out_channels: int, kernel: int, height: int, width: int) -> int:
    raise NotImplementedError  # TODO
