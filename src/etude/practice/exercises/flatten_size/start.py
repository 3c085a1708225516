def flatten_size(height: int, width: int) -> int:
    raise NotImplementedError  # TODO
