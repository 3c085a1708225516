def conv_macs(in_channels, out_channels, kernel, height, width):
    # every output value needs kernel*kernel*in_channels products,
    # and there are out_channels*height*width output values
    per_value = kernel ** 2 * in_channels
    values = out_channels * height * width
    return per_value * values


if __name__ == "__main__":
    direct = conv_macs(192, 32, 5, 28, 28)
    reduced = conv_macs(192, 16, 1, 28, 28) + conv_macs(16, 32, 5, 28, 28)
    print(direct, reduced, direct / reduced)
