def flatten_size(height: int, width: int) -> int:
    height = (height - 4) // 2
    width = (width - 4) // 2
    last_height = height - 4
    last_width = width - 4
    return 88 * last_height * last_width
