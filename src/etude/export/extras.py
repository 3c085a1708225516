"""Packages that are there only where somebody has installed them."""

import importlib
import importlib.metadata
import importlib.util
import sys
from typing import Any

from etude.errors import EtudeError

EXTRAS = {"onnx": "export", "onnxscript": "export", "onnxruntime": "onnxruntime", "openvino": "openvino"}  # by package


def missing(*packages: str) -> str:
    """The first of these packages that is not installed, or ""."""
    return next((package for package in packages if importlib.util.find_spec(package) is None), "")


def version(package: str) -> str:
    """Of an installed package; "" where it is not there."""
    return "" if missing(package) else importlib.metadata.version(package)


def extra(package: str) -> Any:
    """An installed package. Raises EtudeError, with what to do about it, where it is not there or does not load."""
    if package == "openvino":
        # `import openvino` reports itself to Intel, unasked, by this package; without it openvino has a stand-in that sends nothing
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise EtudeError(f"{error.name} is not installed: pip install 'etude-cnn[{EXTRAS[package]}]'") from error
    except (ImportError, OSError) as error:
        raise EtudeError(f"{package} does not load ({str(error).splitlines()[0]}); install it again") from error
