def flatten_size(height: int, width: int) -> int:
    """88 channels times what two 5×5 convolutions and two pools leave of the image."""
    height = (height - 4) // 2
    width = (width - 4) // 2
    last_height = (height - 4) // 2
    last_width = (width - 4) // 2
    return 88 * last_height * last_width
