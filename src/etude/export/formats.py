"""The formats, and how a network is written in one: made, put on the disk, read from there, compared, and only then called done."""

import contextlib
import importlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from etude.errors import EtudeError, UsageError, nearest
from etude.export.card import Card
from etude.export.compare import BATCHES, Answer, Compared, compared, random_pixels, real_pixels
from etude.export.extras import extra, missing, version
from etude.export.page import hub_config, hub_page
from etude.models.weight_files import as_safetensors, read_converted
from etude.train.compiling import quiet

INPUT, OUTPUT, BATCH = "images", "logits", "batch"


@dataclass(frozen=True)
class Format:
    """One way to write a network down.

    ending  of its file; "" for a folder
    needs   the packages that write it
    graph   whether it holds what is computed, and not weights alone
    write   puts it in that place
    read    gives what computes the logits from that, by what, and a word on the file ("opset 20")
    """

    title: str
    ending: str
    needs: tuple[str, ...]
    graph: bool
    write: Callable[[Card, Path], None]
    read: Callable[[Card, Path], tuple[Answer, str, str]]


@dataclass(frozen=True)
class Exported:
    """What was written, and that it computes what the module does."""

    place: Path
    title: str
    note: str
    compared: Compared


def export(card: Card, to: str, place: Path) -> Exported:
    """Write a network in a format of `FORMATS`; where it fails, or computes something else, nothing is left.

    Raises  UsageError for another format or ending, EtudeError for a place that is taken, a package that is missing, a network that torch
            cannot export and an export that computes something else; OSError
    """
    if to not in FORMATS:
        raise UsageError(f"no format `{to}`; {nearest(to, FORMATS)}")
    form = FORMATS[to]
    check_place(form, place)
    if card.normalises and not form.graph:
        raise UsageError(f"--normalise goes with a graph (onnx, pt2); {form.title} holds weights, and what is to be subtracted beside them")
    for package in form.needs:
        if missing(package):
            extra(package)  # which says what to do
    pixels, words = real_pixels(card.trained.image, card.data)
    pixels = torch.cat([random_pixels(card.trained.image, sum(BATCHES)), pixels])
    given = pixels if card.normalises else card.trained.normalised(pixels)
    *random, real = given.split([*BATCHES, len(given) - sum(BATCHES)])
    images = f"{sum(BATCHES)} random images and {words}"
    with beside(place) as temporary:
        form.write(card, temporary)
        answer, by, note = form.read(card, temporary)
        return Exported(place, form.title, note, compared(card.module, answer, by, [*random, real], images))


def check_place(form: Format, place: Path) -> None:
    if place.exists():
        raise EtudeError(f"{place}: is there already; choose another name")
    if form.ending and place.suffix != form.ending:
        raise UsageError(f"{place}: a file of {form.title} ends in {form.ending}")


@contextlib.contextmanager
def beside(place: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder beside it; when the block succeeds it becomes `place`, else nothing is left."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise EtudeError(f"{place}: cannot be written ({error.strerror}); choose another place with --out") from error
    with folder:
        temporary = Path(folder.name) / place.name
        yield temporary
        for file in (temporary, *temporary.glob("*")):
            if file.is_file():
                with file.open("rb+") as stream:
                    os.fsync(stream.fileno())
        temporary.rename(place)


# ── torch.export ─────────────────────────────────────────────────────────────────────────────────────────────────────


def program(module: nn.Module, image: tuple[int, int, int]) -> torch.export.ExportedProgram:
    """The graph that a module runs in eval mode, for any number of images. Raises EtudeError where torch finds none."""
    with quiet():
        try:
            images = torch.zeros(2, *image)
            found = torch.export.export(module.eval(), (images,), dynamic_shapes=({0: torch.export.Dim(BATCH)},))
        except Exception as error:  # torch's own kinds are many
            raise EtudeError(f"torch.export takes no graph of it: {next(iter(str(error).splitlines()), type(error).__name__)}") from error
    for node in found.graph.nodes:
        node.meta.pop("stack_trace", None)  # the source's lines, with the folders of whoever exports
    return found


def write_pt2(card: Card, file: Path) -> None:
    content = io.BytesIO()  # not in the file: torch says nothing of a full disk
    with quiet():
        texts = {"card.json": json.dumps(card.metadata(), ensure_ascii=False, indent=2)}
        torch.export.save(program(card.module, card.trained.image), content, extra_files=texts)
    file.write_bytes(content.getvalue())


def read_pt2(card: Card, file: Path) -> tuple[Answer, str, str]:
    with quiet():
        return torch.export.load(io.BytesIO(file.read_bytes())).module(), f"torch {torch.__version__}", "its card is card.json inside"


# ── ONNX ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def onnx_bytes(graph: torch.export.ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """The ONNX file of a graph. Raises EtudeError where torch cannot make it."""
    onnx = extra("onnx")
    extra("onnxscript")
    with quiet():
        try:
            made = torch.onnx.export(graph, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT])
            assert made is not None
            proto = made.model_proto
        except Exception as error:
            raise EtudeError(f"torch.onnx exports no graph of it: {next(iter(str(error).splitlines()), type(error).__name__)}") from error
    free = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param  # such as s77
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == free:
                dim.dim_param = BATCH
    onnx.helper.set_model_props(proto, dict(metadata))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def write_onnx(card: Card, file: Path) -> None:
    file.write_bytes(onnx_bytes(program(card.module, card.trained.image), card.metadata()))


def read_onnx(card: Card, file: Path) -> tuple[Answer, str, str]:
    """By ONNX Runtime where it is installed, and otherwise by the evaluator that onnx brings."""
    content = file.read_bytes()
    opset = next(known.version for known in extra("onnx").load_from_string(content).opset_import if known.domain == "")
    if missing("onnxruntime"):
        run = importlib.import_module("onnx.reference").ReferenceEvaluator(extra("onnx").load_from_string(content)).run
        by = f"the reference evaluator of onnx {version('onnx')}"
    else:
        run, by = onnx_session(content).run, f"onnxruntime {version('onnxruntime')}"
    return lambda images: torch.from_numpy(run(None, {INPUT: images.numpy()})[0]), by, f"opset {opset}, input {INPUT}, output {OUTPUT}"


def onnx_session(content: bytes) -> Any:
    """ONNX Runtime with these bytes, on as many threads as torch has."""
    onnxruntime = extra("onnxruntime")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


# ── safetensors, and the Hub ─────────────────────────────────────────────────────────────────────────────────────────


def write_safetensors(card: Card, file: Path) -> None:
    file.write_bytes(as_safetensors(card.trained.module, card.metadata()))


def read_safetensors(card: Card, file: Path) -> tuple[Answer, str, str]:
    read = read_converted(file)
    assert read is not None
    return read.module, f"torch {torch.__version__}", "etude.load takes it"


def write_hub(card: Card, folder: Path) -> None:
    folder.mkdir()
    write_safetensors(card, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(hub_config(card), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(hub_page(card), encoding="utf-8")


def read_hub(card: Card, folder: Path) -> tuple[Answer, str, str]:
    return read_safetensors(card, folder / "model.safetensors")


ONNX = ("onnx", "onnxscript")
FORMATS = {
    "onnx": Format("ONNX", ".onnx", ONNX, True, write_onnx, read_onnx),
    "pt2": Format("torch.export", ".pt2", (), True, write_pt2, read_pt2),
    "safetensors": Format("safetensors", ".safetensors", (), False, write_safetensors, read_safetensors),
    "hub": Format("the Hub's layout", "", (), False, write_hub, read_hub),
}
