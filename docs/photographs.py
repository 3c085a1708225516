"""Goes from a folder of photographs to an ONNX file that answers, as a new user would, and writes down commands, answers and times.

python docs/photographs.py FOLDER      makes docs/photographs.md from FOLDER/train/CLASS/*, CIFAR-10; ten minutes on two quiet cores

Every command is run as it stands on the page, one after the other, in an empty folder with an empty cache.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from etude.files import write_text
from etude.train.machine import processor

PAGE = Path(__file__).with_name("photographs.md")
IMAGES, LARGE = 100, 256  # a class; pixels a side of those that are upscaled
MOST_LINES = 24  # of an answer
SMALL_RUN, LARGE_RUN = "runs/resnet20.scratch/laptop/seed-0", "runs/resnet18.scratch/laptop/seed-0"
PROGRESS = re.compile(r"images/s  step \d+/|^batch \d+: ")

ANSWER = """\
import json
import sys

import numpy
import onnxruntime
from PIL import Image

file, *names = sys.argv[1:]
session = onnxruntime.InferenceSession(file)
_, _, height, width = session.get_inputs()[0].shape
classes = json.loads(session.get_modelmeta().custom_metadata_map["images"])["classes"]
for name in names:
    image = Image.open(name).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    pixels = numpy.asarray(image, "float32").transpose(2, 0, 1)[None] / 255
    logits = session.run(None, {"images": pixels})[0][0]
    print(name, classes[logits.argmax()])
"""

TEXT = """\
# From a folder of photographs to a network that answers elsewhere

`python docs/photographs.py FOLDER` has made this page: every command was run as it stands here, in an empty folder, on {machine}.
Below each stands what it printed, shortened at …, and how long it took, start of Python included. `photos` has a folder for each of ten
classes, with {images} colour photographs of 32×32 pixels in each (the first of CIFAR-10's training images, as JPEG). `large` has the
same ones upscaled to {large}×{large}, for a network that was made for ImageNet.

## A small network

{train}

A fifth of each class was held out, and this is what it is right of. What it gets wrong, how sure it is of that, and where in a picture
the answer lies:

{mistakes}

## Elsewhere

The normalisation goes into the graph, so that whoever uses the file gives it pixels from 0 to 1:

{export}

Nothing of Etude is needed from here on. `answer.py` is enough:

```python
{answer}```

{answered}

`etude predict` takes what is fastest here by itself, of what is installed. (Four fifths of `photos` it was trained with.)

{bench}

## A network for ImageNet

The same with ResNet-18 and images of 224×224, from random weights, for the few steps that two cores can do in a while:

{imagenet}

That is how it is done, not what can be reached: a thousand photographs are few for random weights of this size. With torchvision's file
of weights it is `etude train resnet18 --data large --from resnet18.pth`; what weights to begin with are worth is measured, with smaller
networks, in [export.md](export.md).
"""

TRAIN = ("etude train resnet20 --data photos --set steps=300",)
MISTAKES = (
    f"etude runs show {SMALL_RUN} --html mistakes.html",
    f"etude predict {SMALL_RUN} photos/cat/0000.jpg photos/ship/0000.jpg",
    f"etude predict {SMALL_RUN} photos/cat/0000.jpg --why why.html",
)
EXPORT = (f"etude export {SMALL_RUN} --to onnx --normalise --out photos.onnx",)
ANSWERED = ("python answer.py photos.onnx photos/cat/0000.jpg photos/ship/0000.jpg",)
BENCH = (f"etude bench {SMALL_RUN}", f"etude predict {SMALL_RUN} photos")
IMAGENET = (
    "etude train resnet18 --data large --set side=224 --set steps=100",
    f"etude runs show {LARGE_RUN} --html mistakes18.html",
    f"etude export {LARGE_RUN} --to onnx --normalise --out large.onnx",
    "python answer.py large.onnx large/cat/0000.jpg large/ship/0000.jpg",
)


def main() -> None:
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copied(data / "train", folder)
        write_text(folder / "answer.py", ANSWER)
        parts = {
            name: "\n\n".join(typed(line, folder) for line in lines)
            for name, lines in {
                "train": TRAIN,
                "mistakes": MISTAKES,
                "export": EXPORT,
                "answered": ANSWERED,
                "bench": BENCH,
                "imagenet": IMAGENET,
            }.items()
        }
    machine = f"{torch.get_num_threads()} threads of an {processor()}"
    write_text(PAGE, TEXT.format(**parts, machine=machine, images=IMAGES, large=LARGE, answer=ANSWER))


def copied(classes: Path, folder: Path) -> None:
    """The first images of every class, as they are and upscaled."""
    for each in sorted(path for path in classes.iterdir() if path.is_dir()):
        for name in ("photos", "large"):
            (folder / name / each.name).mkdir(parents=True)
        for file in sorted(each.iterdir())[:IMAGES]:
            shutil.copy(file, folder / "photos" / each.name)
            upscaled = Image.open(file).resize((LARGE, LARGE), Image.Resampling.BICUBIC)
            upscaled.save(folder / "large" / each.name / file.name, quality=92)


def typed(line: str, folder: Path) -> str:
    """A command as the page has it: with what it printed, and how long it took."""
    print(line, flush=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ETUDE_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{line}: exit code {done.returncode}\n{done.stdout}")
    said = [text.rstrip() for text in done.stdout.replace(f"{folder}/", "").splitlines() if text.strip() and not PROGRESS.search(text)]
    shown = said if len(said) <= MOST_LINES else [*said[:MOST_LINES], " …"]
    return "\n".join(["```console", f"$ {line}", *shown, "```", "", f"({waited(seconds)})"])


def waited(seconds: float) -> str:
    if seconds < 1:
        return "under a second"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


if __name__ == "__main__":
    main()
