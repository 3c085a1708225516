def flatten_size(height, width):
    size = [height, width]
    for _ in range(2):                       # conv 5x5, then pool
        size = [(s - 5 + 1) // 2 for s in size]
    return 88 * size[0] * size[1]
