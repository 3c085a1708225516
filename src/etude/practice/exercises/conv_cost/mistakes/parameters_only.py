def conv_macs(in_channels: int, out_channels: int, kernel: int, height: int, width: int) -> int:
    kernel_weights = kernel * kernel
    filter_weights = kernel_weights * in_channels
    per_filter = filter_weights
    return per_filter * out_channels
