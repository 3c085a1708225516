"""Files of weights: other people's are read, and none of them is trusted; ours are written."""

import json
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from etude.errors import EtudeError, UsageError
from etude.files import whole_file
from etude.models.weights import tensors_of


def read_weights(file: Path | str) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth or .pt file, on the CPU, under torchvision's names if they are torchvision's.

    Nothing in the file is run. Raises EtudeError for a file that is missing, damaged, of another kind, that would run code, or that
    holds no state_dict.
    """
    file = Path(file)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise UsageError(f"{file}: a file of weights ends in {', '.join(READERS)}")
    try:
        with file.open("rb"):  # so that both readers fail alike where there is nothing to read
            pass
    except OSError as error:
        raise EtudeError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        return tensors_of(reader(file))
    except EtudeError as error:
        raise EtudeError(f"{file}: holds {error}; save model.state_dict() alone") from error
    except Exception as error:  # whatever the bytes of a damaged file make a reader stumble over
        raise EtudeError(f"{file}: {_complaint(error)}") from error


def _unpickle(file: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*TorchScript")  # which is refused, as it is code
        return torch.load(file, map_location="cpu", weights_only=True)


READERS: Mapping[str, Callable[[Path], Any]] = {".safetensors": load_file, ".pth": _unpickle, ".pt": _unpickle}


def _complaint(error: Exception) -> str:
    wanted = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if wanted:
        return f"would run code when read ({wanted[1]}), so it was not; ask for model.state_dict() alone, or for safetensors"
    return "is damaged, or holds something else than weights; fetch it again"


def write_weights(file: Path, module: nn.Module, name: str, options: Mapping[str, Any]) -> None:
    """Write the weights as safetensors, whole or not at all; its metadata remember network and options. Raises OSError."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    with whole_file(file) as temporary:
        temporary.write_bytes(to_bytes(tensors, metadata={"network": name, "options": json.dumps(dict(options))}))
