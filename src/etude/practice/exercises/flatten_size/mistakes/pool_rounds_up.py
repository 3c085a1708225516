def flatten_size(height: int, width: int) -> int:
    height = (height - 3) // 2
    width = (width - 3) // 2
    last_height = (height - 3) // 2
    last_width = (width - 3) // 2
    return 88 * last_height * last_width
