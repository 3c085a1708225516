def flatten_size(height: int, width: int) -> int:
    height = height // 2
    width = width // 2
    last_height = height // 2
    last_width = width // 2
    return 88 * last_height * last_width
