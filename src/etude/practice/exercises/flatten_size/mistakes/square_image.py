def flatten_size(height: int, width: int) -> int:
    height = (height - 4) // 2
    last_height = (height - 4) // 2
    return 88 * last_height * last_height
