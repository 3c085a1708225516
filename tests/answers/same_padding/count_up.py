def same_padding(kernel, dilation=1):
    # 从0开始试，直到输出和输入一样大
    def out_size(n, p):
        return n + 2 * p - dilation * (kernel - 1)

    n = 100
    p = 0
    while out_size(n, p) < n:
        p += 1
    return p
