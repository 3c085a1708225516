"""Files of weights: other people's are read, and none of them is trusted; ours are written, and read again."""

import json
import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from etude.errors import EtudeError, UsageError
from etude.files import WEIGHTS, whole_file
from etude.models.network import Network
from etude.models.weights import tensors_of


@dataclass(frozen=True)
class Images:
    """What is known of the images that weights were trained on; empty where nothing is.

    mean, std  one a channel, of pixels from 0 to 1; the mean may be an image, as lists of lists
    classes    the names of the outputs, in order
    image      (channels, height, width), where that is not the network's own
    shorter    where the middle of images was tested, to how many pixels their shorter side was scaled
    Raises     UsageError for a mean or a std that are no numbers, or infinite
    """

    mean: tuple[Any, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    image: tuple[()] | tuple[int, int, int] = ()
    shorter: int | None = None

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if odd := [value for value in leaves(values) if type(value) not in (int, float) or not abs(value) < math.inf]:
                raise UsageError(f"--{name}: {odd[0]}, expected numbers")


def leaves(values: Any) -> Iterator[Any]:
    """What stands in lists of lists."""
    if isinstance(values, (tuple, list)):
        for value in values:
            yield from leaves(value)
    else:
        yield values


@dataclass(frozen=True)
class Converted:
    """A network here with weights from elsewhere.

    Raises  UsageError where the images are said to be what the network does not take
    """

    network: Network
    module: nn.Module
    images: Images = Images()

    def __post_init__(self) -> None:
        channels, classes = self.network.input[0], self.images.classes
        for name, numbers in (("mean", self.images.mean), ("std", self.images.std)):
            if numbers and len(numbers) != channels:
                raise UsageError(f"--{name}: {len(numbers)} numbers, expected one for each of the {channels} channels of {self.network}")
        if self.images.std and min(self.images.std) <= 0:
            raise UsageError(f"--std: {min(self.images.std):g}, expected numbers above 0")
        if classes and len(classes) != self.outputs:
            raise UsageError(f"{len(classes)} names of classes ({', '.join(classes)}), {self.network} has {self.outputs} outputs")

    @property
    def outputs(self) -> int:
        """How many classes it tells apart."""
        blank = torch.empty(1, *self.network.input, device="meta")
        logits: Tensor = self.network.without_weights().eval()(blank)
        return logits.shape[1]


def read_weights(file: Path | str) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU, by the names that they have there.

    Nothing in the file is run. Raises EtudeError for a file that is missing, damaged, of another kind, that would run code, that
    holds no state_dict, or numbers that are none.
    """
    file = Path(file)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise UsageError(f"{file}: a file of weights ends in {', '.join(READERS)}")
    if file.exists() and not file.is_file():
        raise EtudeError(f"{file}: not a file, but a folder, a pipe or a device; expected a file of weights")
    try:
        with file.open("rb"):  # so that both readers fail alike where there is nothing to read
            pass
    except OSError as error:
        raise EtudeError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        tensors = tensors_of(reader(file))
    except EtudeError as error:
        raise EtudeError(f"{file}: holds {error}; save model.state_dict() alone") from error
    except Exception as error:  # whatever the bytes of a damaged file make a reader stumble over
        raise EtudeError(f"{file}: {_complaint(error)}") from error
    if not tensors:
        raise EtudeError(f"{file}: holds no tensor")
    if empty := next((name for name, tensor in tensors.items() if tensor.is_meta), None):
        raise EtudeError(f"{file}: `{empty}` has a shape and no numbers (it was on the device meta); save the weights of a trained network")
    if broken := next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None):
        raise EtudeError(f"{file}: `{broken}` holds numbers that are infinite or NaN; take a file from before the training went wrong")
    return tensors


def _unpickle(file: Path) -> Any:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            tensors = [part for part in archive.infolist() if "/code/" not in part.filename]  # a script's code is packed, and never read
            if any(part.compress_type != zipfile.ZIP_STORED for part in tensors):  # a thousand times as large when unpacked
                raise EtudeError("packed tensors, and torch packs none")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*TorchScript")  # which is refused, as it is code
        return torch.load(file, map_location="cpu", weights_only=True)


READERS: Mapping[str, Callable[[Path], Any]] = {**dict.fromkeys(WEIGHTS, _unpickle), ".safetensors": load_file}


def _complaint(error: Exception) -> str:
    wanted = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if wanted:
        return f"would run code when read ({wanted[1]}), so it was not; ask for model.state_dict() alone, or for safetensors"
    return "is damaged, or holds something else than weights; fetch it again"


# ── Ours ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_converted(file: Path, converted: Converted) -> None:
    """Write it as safetensors, whole or not at all; the metadata remember the network, its options and the images. Raises OSError."""
    with whole_file(file) as temporary:
        temporary.write_bytes(as_safetensors(converted.module, as_metadata(converted.network, converted.images)))


def as_safetensors(module: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """The weights of a module as the bytes of such a file."""
    return to_bytes({key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}, metadata=dict(metadata))


def as_metadata(network: Network, images: Images) -> dict[str, str]:
    """What `read_converted` needs to know beside the weights."""
    told = {"options": dict(network.options), "images": {name: value for name, value in asdict(images).items() if value}}
    return {"network": network.name, **{name: json.dumps(value, ensure_ascii=False) for name, value in told.items()}}


def read_converted(file: Path) -> Converted | None:
    """What `write_converted` has written, in eval mode; None for any other file. Raises EtudeError for one that is damaged."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
    except (SafetensorError, OSError):
        return None
    if "network" not in metadata:
        return None
    try:
        options, images = (json.loads(metadata.get(key, "{}")) for key in ("options", "images"))
        network = Network(metadata["network"], as_tuples(options))
        module = network.build()
        module.load_state_dict(read_weights(file))
        return Converted(network, module.eval(), Images(**as_tuples(images)))
    except (ValueError, TypeError, AttributeError, RuntimeError, UsageError) as error:
        raise EtudeError(f"{file}: is damaged, or of another version of Etude; convert the weights again") from error


def as_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, as which JSON writes tuples, as tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
