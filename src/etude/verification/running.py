"""L0: on which image anybody's module runs, and into how many classes; where it runs on none, what stops it."""

import contextlib
import inspect
import math
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.errors import UsageError
from etude.explain.findings import Finding, in_english
from etude.explain.raised import explained
from etude.explain.recorder import tensors_in
from etude.operator import Shape
from etude.source import placed
from etude.targets.opening import cause_of
from etude.verification.limited import is_foreign, is_out_of_memory
from etude.verification.prepare import eagerly, in_mode, noise_for
from etude.verification.trace import EventRecorder
from etude.wording import size

Image = tuple[int, int, int]
USUAL = (3, 32, 32)
SIDES = (224, 32, 28, 64, 96, 299)  # of images that people use
CHANNELS = (3, 1)
FIXED = ("linear", "global_avg_pool", "adaptive_avg_pool")  # whose result is as large whatever the image
ENOUGH = 3  # images on which the same must happen before it is said of all

# what stops a module whatever its image is, the second where it happens in its file
ALWAYS = {"no_forward", "returns_nothing", "gives_classes"}
SLIPS = {
    "result_dropped", "not_flattened", "fixed_batch", "no_attribute", "nothing_set", "no_name", "missing_argument", "not_called",
    "nothing_passed", "no_tensor_there", "method_misspelt", "no_self", "no_super", "misspelt", "misspelt_name", "not_imported",
    "self_before", "self_when_set", "set_with_equals", "option_misspelt", "layer_given_tensor", "numpy", "trailing_comma", "brackets",
    "not_in_a_list", "view_comma", "calls_itself", "asks",
}  # fmt: skip


@dataclass(frozen=True)
class Stop:
    """What stopped a module on an image, and the file where it did."""

    finding: Finding
    file: str
    image: Shape = ()

    @classmethod
    def of(cls, error: BaseException, image: Shape = ()) -> "Stop":
        if isinstance(error, NoLogits):
            return cls(error.finding, error.file, image)
        error = cause_of(error)
        frames = traceback.extract_tb(error.__traceback__)
        file = next((frame.filename for frame in reversed(frames) if is_foreign(frame.filename)), "")
        return cls(explained(error, Path(file)), file, image)

    @property
    def always(self) -> bool:
        """Whether no image would do, by the kind of what happened."""
        key = self.finding.key
        inner = key == "conv_channels" and not self.at_the_image
        return key in ALWAYS or inner or (key in SLIPS and self.finding.line is not None)

    @property
    def at_the_image(self) -> bool:
        """Whether the image has not the channels that the first convolution takes."""
        return self.finding.key == "conv_channels" and int(self.finding.values["got"]) == self.image[0]

    def __str__(self) -> str:
        line = placed(self.file, self.finding.line) if self.finding.line else ""
        there = ", ".join(filter(None, (line, self.finding.shapes)))
        return in_english(self.finding) + (f" ({there})" if there else "")


class NoLogits(Exception):
    """A forward gives something else than N×classes."""

    def __init__(self, module: nn.Module, key: str, **values: Any) -> None:
        super().__init__(key)
        code = inspect.unwrap(type(module).forward).__code__
        self.file = code.co_filename if is_foreign(code.co_filename) else ""
        self.finding = Finding(key, values, code.co_firstlineno if self.file else None)


class Stopped(Exception):
    """A module does not run; `certain`, where the cause lies in its file whatever the image."""

    def __init__(self, sentence: str, certain: bool) -> None:
        super().__init__(sentence)
        self.certain = certain


@dataclass(frozen=True)
class Run:
    """The first run of a module that came to an end.

    image    (channels, height, width)
    classes  of its first output, N×classes
    before   what stopped it on the images that were tried before
    """

    image: Image
    classes: int
    before: tuple[Stop, ...] = ()


def images_to_try(own: Image) -> Iterator[Image]:
    """The network's own image, then those that people use, first with as many channels."""
    for channels in dict.fromkeys((own[0], *CHANNELS)):
        yield from dict.fromkeys(((channels, *own[1:]), *((channels, side, side) for side in SIDES)))


def first_run(module: nn.Module, images: Iterator[Image] | Sequence[Image], classes: int) -> Run:
    """In eval mode on two images, of the first kind that the module takes. `classes` is how many are expected. Raises Stopped."""
    stops: list[Stop] = []
    for image in images:
        try:
            with torch.no_grad():
                return Run(image, logits(module, image, 2, classes).shape[1], tuple(stops))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            stops.append(Stop.of(error, image))
            if stops[-1].always:
                break
    raise stopped(module, stops)


def image_is_missing(target: object, module: nn.Module) -> UsageError:
    """What to raise where nobody says which images a module takes: with the first that it runs on of those that people use."""
    ask = f"{target}: which images does it take? Add --input CxHxW, such as --input "
    for image in images_to_try(USUAL):
        with contextlib.suppress(Exception), torch.no_grad(), eagerly():
            in_mode(module, training=False)(torch.zeros(2, *image))
            return UsageError(f"{ask}{'x'.join(map(str, image))}, on which it runs")
    return UsageError(ask + "x".join(map(str, USUAL)))


def stopped(module: nn.Module, stops: Sequence[Stop]) -> Stopped:
    """What to say of a module that runs on none of the images that were tried."""
    telling = next((stop for stop in stops if not stop.at_the_image), stops[0])
    tried = [stop.image for stop in stops]
    sides, channels = (dict.fromkeys(image[at] for image in tried) for at in (1, 0))
    several = f"images of {' or '.join(map(str, channels))} channels with sides of {', '.join(map(str, sides))} were tried"
    sentence = f"it does not run on {size(telling.image)}: {telling}{f'; {several}' if len(tried) > 1 else ''}"
    return Stopped(sentence, telling.always or no_size_would_do(module, telling, stops))


def no_size_would_do(module: nn.Module, telling: Stop, stops: Sequence[Stop]) -> bool:
    """Whether the numbers that do not fit are so for every image: where they are as far apart on several, or no image gives them."""
    key, line = telling.finding.key, telling.finding.line
    alike = [stop.finding.values for stop in stops if (stop.finding.key, stop.finding.line) == (key, line)]
    one, other = ("a", "b") if key in ("sizes_meet", "cat_sizes") else ("want", "got")
    if key not in ("sizes_meet", "cat_sizes", "norm_channels", "linear_features"):
        return False
    as_far = len(alike) >= ENOUGH and len({int(values[one]) - int(values[other]) for values in alike}) == 1
    return as_far or (key == "linear_features" and no_image_gives(int(telling.finding.values["want"]), module, telling.image))


def no_image_gives(features: int, module: nn.Module, image: Shape) -> bool:
    """Whether so many features can never come to the linear layer that stops the module: they are no multiple of the maps, or fixed."""
    x = noise_for(module, 2, image)
    recorder = EventRecorder(module, x)
    with contextlib.suppress(Exception), torch.no_grad(), recorder:
        module(x)
    events = recorder.trace.events
    index = len(events) - 1
    while index >= 0:
        event = events[index]
        if event.op in FIXED:
            return True
        if len(event.shape) == 3:
            return features % event.shape[0] != 0
        index = event.inputs[0] if len(event.inputs) == 1 else -1
    return False


def logits(module: nn.Module, image: Shape, images: int, classes: int) -> Tensor:
    """For random images the output with as many classes as expected, or else that of the last linear layer, or the first; N×classes.

    Raises NoLogits, and what the module raises.
    """
    x = noise_for(module, images, image)
    result = module(x.clone())
    if result is None:
        raise NoLogits(module, "returns_nothing")
    tensors = list(tensors_in(result))
    if not tensors:
        raise NoLogits(module, "no_tensor", found=type(result).__name__)
    outputs = [tensor for tensor in tensors if tensor.is_floating_point()]
    if not outputs:
        raise NoLogits(module, "gives_classes")
    first = next((out for out in outputs if out.numel() == images * classes), None)
    if first is None:
        first = outputs[0] if len(outputs) == 1 else of_the_last_layer(module, x, outputs)
    if first.numel() == images * classes:
        return first.reshape(images, classes)
    if first.dim() == 0 or len(first) != images:
        raise NoLogits(module, "merges_images", images=images, found=size(first.shape) or "a number")
    if math.prod(first.shape[2:]) != 1:
        raise NoLogits(module, "no_logits", images=images, found=size(first.shape))
    return first.reshape(images, -1)


def of_the_last_layer(module: nn.Module, x: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """Of several outputs, as features and logits are, the one as wide as what the last linear layer of a run gives."""
    recorder = EventRecorder(module, x)
    with torch.no_grad(), recorder:
        module(x)
    widths = [event.shape[0] for event in recorder.trace.events if event.op == "linear"][-1:]
    return next((out for out in outputs if out.dim() > 1 and out.shape[1] in widths), outputs[0])


@torch.no_grad()
def without_batch(module: nn.Module, run: Run) -> Iterator[str]:
    """What to remark of a module that gives a single image without the batch, as `squeeze()` does."""
    given = tensors_in(in_mode(module, training=False)(noise_for(module, 1, run.image)))
    floats = [tensor for tensor in given if tensor.is_floating_point()]
    first = next((tensor for tensor in floats if tensor.numel() == run.classes), floats[0])
    if first.dim() == 0 or (first.dim() == 1 and run.classes > 1):
        yield f"for a single image it gives {size(first.shape) or 'a number'}, without the batch; `flatten(1)` keeps it"


def cannot_be_made(error: Exception) -> str:
    """Of a constructor that sets a layer before nn.Module's own has run, what to say; nothing of what may lie elsewhere."""
    stop = Stop.of(error.__cause__ or error)
    return f"it cannot be made: {stop}" if stop.finding.key == "no_super" else ""


def in_both_modes(module: nn.Module, run: Run, trained: nn.Module) -> None:
    """Eval mode on one and three images; of the copy `trained`, training mode on two and four, and a step of SGD. Raises Stopped."""
    with torch.no_grad():
        for images in (1, 3):
            with during(f"on {images} image{'s' * (images > 1)} of {size(run.image)} in eval mode", run.image):
                logits(in_mode(module, training=False), run.image, images, run.classes)
    with during(f"on 4 images of {size(run.image)} in training mode", run.image):
        logits(in_mode(trained, training=True), run.image, 4, run.classes)
    with during("through a step of training", run.image):
        out = logits(trained, run.image, 2, run.classes)
        loss = F.cross_entropy(out, torch.zeros(2, dtype=torch.int64))
        optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
        if loss.requires_grad:  # unless all is frozen
            loss.backward()
        optimizer.step()


@contextlib.contextmanager
def during(what: str, image: Image) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise
        stop = Stop.of(error, image)
        raise Stopped(f"it does not run {what}: {stop}", stop.always) from error
