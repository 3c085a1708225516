"""Values and dataclasses as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any


def json_of(value: Any) -> str:
    """As text; what is no number becomes null."""
    return json.dumps(finite(value), indent=2, ensure_ascii=False)


def finite(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: finite(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
