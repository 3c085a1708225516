"""The whole state of a run in one safetensors file, so that what is saved always belongs together."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from etude.errors import EtudeError
from etude.files import whole_file

Content = tuple[dict[str, Tensor], dict[str, Any]]  # all tensors of a checkpoint, and its progress


def save(path: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], progress: dict[str, Any]) -> None:
    """Write model, optimisers, torch's random state and `progress` (plain values), whole or not at all.

    Raises OSError, e.g. for a full disk; what `path` held before is then untouched.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for prefix, _, state in states(optimizers):
        tensors |= {f"{prefix}{key}": value for key, value in state.items()}
    tensors["random"] = torch.get_rng_state()
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(to_bytes(tensors, metadata=metadata(progress)))


def metadata(progress: dict[str, Any]) -> dict[str, str]:
    """The progress as it stands in the file."""
    return {"progress": json.dumps(progress)}


def restore(path: Path, content: Content, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """Put model, optimisers and random state back as `save` found them, from what `read` gives of `path`; returns `progress`.

    Raises EtudeError when it belongs to another network.
    """
    tensors, progress = content
    load_model(path, model, tensors)
    for prefix, parameter, state in states(optimizers):
        saved = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        state.update({key: _like(value, parameter) for key, value in saved.items()})
    torch.set_rng_state(tensors["random"])
    return progress


def states(optimizers: list[torch.optim.Optimizer]) -> Iterator[tuple[str, Tensor, dict[str, Tensor]]]:
    """The prefix in the file, the parameter, and what its optimiser remembers of it (tensors, in all that we use)."""
    for which, optimizer in enumerate(optimizers):
        parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
        for index, parameter in enumerate(parameters):
            yield f"optimizer.{which}.{index}.", parameter, optimizer.state[parameter]


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy of what was saved, where and as the optimiser had it.

    Fused optimisers walk parameter and state side by side in memory, so the layouts have to agree again; on CUDA they want
    their count of steps there too.
    """
    if value.shape != parameter.shape:
        return value.clone().to(parameter.device) if parameter.is_cuda else value.clone()
    return torch.empty_like(parameter).copy_(value)


def load_model(path: Path, model: nn.Module, tensors: dict[str, Tensor] | None = None) -> None:
    """Load the weights of a checkpoint into `model`, strictly."""
    if tensors is None:
        tensors, _ = read(path)
    weights = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise EtudeError(f"{path}: holds the weights of another network: {first}") from error


def read(path: Path) -> Content:
    """All tensors of a checkpoint and its progress. Raises EtudeError for a missing or damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["progress"])  # noqa: SIM118
    except FileNotFoundError as error:
        raise EtudeError(f"{path}: no checkpoint there; the run was not started, or its folder is incomplete") from error
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        message = f"{path}: the checkpoint is damaged ({str(error).splitlines()[0]}); delete the run's folder and train again"
        raise EtudeError(message) from error
