"""What can compute a network on this machine's processor: torch as it is, torch made faster, and other programs from the ONNX graph."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from etude.errors import EtudeError, UsageError, nearest
from etude.export.compare import Answer
from etude.export.extras import EXTRAS, extra, missing
from etude.export.formats import INPUT, ONNX, onnx_bytes, onnx_session, program
from etude.train.compiling import COMPILERS, has_compiler, quiet
from etude.train.folding import fold
from etude.train.trained import TrainedNetwork


@dataclass(frozen=True)
class Engine:
    """One way to compute a network.

    needs  the packages that it takes
    setup  about how many seconds it takes before its first answer, for a network of fifty layers on two cores
    make   of a module in eval mode on the processor, and images as many as it will get at once, what gives their logits
    """

    about: str
    needs: tuple[str, ...]
    setup: float
    make: Callable[[nn.Module, Tensor], Answer]

    @property
    def lacks(self) -> str:
        """Why it is not there, with what to do about it; "" where it is."""
        if package := missing(*self.needs):
            return f"{package} is not installed: pip install 'etude-cnn[{EXTRAS[self.needs[-1]]}]'"
        if self.make is compiled and not has_compiler():
            return f"torch compiles with a C++ compiler, and there is none: install {COMPILERS[0]}"
        return ""


def engine(name: str) -> Engine:
    """The engine of that name. Raises UsageError for another name, EtudeError for one that is not there."""
    if name not in ENGINES:
        raise UsageError(f"no engine `{name}`; {nearest(name, ENGINES)}")
    if lacks := ENGINES[name].lacks:
        raise EtudeError(f"engine {name}: {lacks}")
    return ENGINES[name]


def made(name: str, module: nn.Module, images: Tensor) -> Answer:
    """What gives the logits of images like these, or of fewer, by that engine. Raises as `engine`, and EtudeError where it fails."""
    chosen = engine(name)
    try:
        with torch.no_grad(), quiet():
            answer = chosen.make(module.eval(), images)
            answer(images)  # the first answer takes longest
    except EtudeError:
        raise
    except Exception as error:  # of any kind, as many as there are engines
        raise EtudeError(f"engine {name}: {next(iter(str(error).splitlines()), type(error).__name__)}") from error
    return filled(answer, len(images))


def by_engine(name: str, trained: TrainedNetwork, batch: int) -> Answer:
    """The same for what was trained: of images as they are, bytes or pixels from 0 to 1, to logits. Raises as `made`."""
    answer = made(name, trained.module, torch.zeros(batch, *trained.image))
    return lambda images: answer(trained.normalised(images))


def filled(answer: Answer, batch: int) -> Answer:
    """The same for fewer images: the batch is filled up, since an engine that is made for one size would be made again for another."""

    @torch.no_grad()
    def answered(images: Tensor) -> Tensor:
        blank = images.new_zeros(batch - len(images), *images.shape[1:])
        return answer(torch.cat([images, blank]) if len(blank) else images)[: len(images)]

    return answered


# ── torch ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def plain(module: nn.Module, images: Tensor) -> Answer:
    return module


def folded(module: nn.Module, images: Tensor) -> Answer:
    """Without normalisations that can be part of a convolution, and with the channels of a pixel side by side."""
    light = fold(copy.deepcopy(module)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lambda images: light(images.contiguous(memory_format=torch.channels_last))


def compiled(module: nn.Module, images: Tensor) -> Answer:
    """torch.compile with the weights as constants, so that it lays them out once and folds normalisations."""
    answer: Answer = torch.compile(module, dynamic=False, options={"freezing": True})
    return answer


# ── Others ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def onnxruntime(module: nn.Module, images: Tensor) -> Answer:
    session = onnx_session(onnx_of(module, images))
    return lambda images: torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])


def openvino(module: nn.Module, images: Tensor) -> Answer:
    """In float32 also where the processor is faster with less."""
    core = extra("openvino").Core()
    model = core.read_model(onnx_of(module, images))
    model.reshape(list(images.shape))
    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    ready = core.compile_model(model, "CPU", threads)
    return lambda images: torch.from_numpy(ready(images.numpy())[0].copy())


def onnx_of(module: nn.Module, images: Tensor) -> bytes:
    _, channels, height, width = images.shape
    return onnx_bytes(program(module, (channels, height, width)), {})


ENGINES = {
    "torch": Engine("torch as it is", (), 0, plain),
    "folded": Engine("torch, normalisations folded into convolutions, channels last", (), 1, folded),
    "compiled": Engine("torch.compile, weights frozen", (), 60, compiled),
    "onnxruntime": Engine("ONNX Runtime", (*ONNX, "onnxruntime"), 10, onnxruntime),
    "openvino": Engine("OpenVINO", (*ONNX, "openvino"), 10, openvino),
}
