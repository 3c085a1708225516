"""Walks through the first nine exercises as a learner might, and writes down what was typed and what was answered.

python docs/walk.py        makes docs/practice.md
"""

import contextlib
import io
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from etude.cli import app
from etude.files import write_text
from etude.lessons.progress import going_on
from etude.practice.exercises import exercise
from etude.practice.workbook import Workbook

PAGE = Path(__file__).with_name("practice.md")
IMPORTS = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"

CONV1X1 = """class Conv1x1(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.w = nn.Parameter(torch.randn(out_channels, in_channels))

    def forward(self, x):
        return torch.einsum("oc,nchw->nohw", self.w, x)
"""

INCEPTION = """class InceptionA(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.b1 = nn.Conv2d(in_channels, 16, 1)
        self.b5a = nn.Conv2d(in_channels, 16, 1)
        self.b5b = nn.Conv2d(16, 24, 5)
        self.b3a = nn.Conv2d(in_channels, 16, 1)
        self.b3b = nn.Conv2d(16, 24, 3, padding=1)
        self.b3c = nn.Conv2d(24, 24, 3, padding=1)
        self.bp = nn.Conv2d(in_channels, 24, 1)

    def forward(self, x):
        one = F.relu(self.b1(x))
        five = F.relu(self.b5b(F.relu(self.b5a(x))))
        three = F.relu(self.b3c(F.relu(self.b3b(F.relu(self.b3a(x))))))
        pool = F.relu(self.bp(F.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat([one, five, three, pool], dim=1)
"""

SHORT = """class InceptionA(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        reduce = nn.Conv2d(in_channels, 16, 1)
        self.branches = nn.ModuleList([
            nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(in_channels, 24, 1)),
            nn.Conv2d(in_channels, 16, 1),
            nn.Sequential(reduce, nn.Conv2d(16, 24, 5, padding=2)),
            nn.Sequential(reduce, nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1)),
        ])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)
"""

NETWORK = """class LectureInception(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.incep1 = InceptionA(10)
        self.conv2 = nn.Conv2d(20, 20, 5)
        self.incep2 = InceptionA(20)
        self.fc = nn.Linear(1408, 10)

    def forward(self, x):
        x = self.incep1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.incep2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        return self.fc(x.flatten(1))
"""

BLOCK = """class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return x + y
"""

RESIDUAL = """class LectureResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.block1 = ResidualBlock(16)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.block2 = ResidualBlock(32)
        self.fc = nn.Linear(88 * 4 * 4, 10)

    def forward(self, x):
        x = self.block1(F.max_pool2d(F.relu(self.conv1(x)), 2))
        x = self.block2(F.max_pool2d(F.relu(self.conv2(x)), 2))
        return self.fc(x.flatten(1))
"""

RIGHT_BLOCK = BLOCK.replace("F.relu(self.conv2(y))", "self.conv2(y)").replace("x + y", "F.relu(x + y)")
PADDED = INCEPTION.replace("nn.Conv2d(16, 24, 5)", "nn.Conv2d(16, 24, 5, padding=2)")
PLAIN = PADDED.replace("F.relu(self.b1(x))", "self.b1(x)").replace("F.relu(self.b5b(F.relu(self.b5a(x))))", "self.b5b(self.b5a(x))")
PLAIN = PLAIN.replace("F.relu(self.b3c(F.relu(self.b3b(F.relu(self.b3a(x))))))", "self.b3c(self.b3b(self.b3a(x)))")
PLAIN = PLAIN.replace("F.relu(self.bp(F.avg_pool2d(x, 3, stride=1, padding=1)))", "self.bp(F.avg_pool2d(x, 3, stride=1, padding=1))")
OWN_REDUCERS = SHORT.replace("        reduce = nn.Conv2d(in_channels, 16, 1)\n", "").replace("reduce,", "nn.Conv2d(in_channels, 16, 1),")

COST = """def conv_macs(in_channels, out_channels, kernel, height, width):
    return kernel * height * width * in_channels * out_channels
"""

# for every exercise what is written into its file, try by try; None is the starting file as it came
TRIES: dict[str, tuple[str | None, ...]] = {
    "conv1x1": (
        IMPORTS + CONV1X1,
        IMPORTS
        + CONV1X1.replace("in_channels))\n", "in_channels))\n        self.b = nn.Parameter(torch.randn(out_channels, 1, 1))\n").replace(
            "self.w, x)", "self.w, x) + self.b"
        ),
    ),
    "conv_cost": (
        COST,
        COST.replace("kernel *", "kernel**2 *"),
    ),
    "same_padding": (
        "def same_padding(kernel, dilation=1):\n    return kernel // 2\n",
        "def same_padding(kernel, dilation=1):\n    return dilation * (kernel - 1) // 2\n",
    ),
    "inception_a": (IMPORTS + INCEPTION, IMPORTS + PADDED, IMPORTS + PLAIN),
    "refactor": (None, IMPORTS + SHORT, IMPORTS + OWN_REDUCERS),
    "flatten_size": (
        "def flatten_size(height, width):\n    return 88 * (height // 4) * (width // 4)\n",
        "def side(pixels):\n    return ((pixels - 4) // 2 - 4) // 2\n\n\n"
        "def flatten_size(height, width):\n    return 88 * side(height) * side(width)\n",
    ),
    "lecture_inception": (
        IMPORTS + PLAIN + "\n\n" + NETWORK,
        IMPORTS + PLAIN + "\n\n" + NETWORK.replace("nn.Conv2d(20, 20, 5)", "nn.Conv2d(88, 20, 5)"),
    ),
    "residual_block": (IMPORTS + BLOCK, IMPORTS + RIGHT_BLOCK),
    "lecture_residual": (
        IMPORTS + RIGHT_BLOCK + "\n\n" + RESIDUAL,
        IMPORTS + RIGHT_BLOCK + "\n\n" + RESIDUAL.replace("88 * 4 * 4", "32 * 4 * 4"),
    ),
}

INTRODUCTION = """# A walk through the first nine exercises

The exercises of `etude practice` are the lecture's blocks and networks, then those of the papers: 24 files to be written by hand and
checked by numbers. Names, order and style are free; the weights of what you wrote are carried over into the original, and outputs and
gradients must agree. What is wrong is named, with the line and the reason, in English or in Chinese (`--lang zh`).

```
etude practice start my_exercises      # writes the files; their first lines are the tasks
cd my_exercises
etude practice next                    # where to go on
etude practice watch                   # checks whenever a file is saved
etude practice check residual_block    # or once
etude practice hint                    # one hint more each time, three in all
etude practice compare residual_block  # a solution beside yours, once it has passed
etude practice reset residual_block    # the starting file again; yours is kept beside it
etude practice list                    # progress
etude practice check --all --folder CLASS/    # a teacher's: every folder in CLASS is a learner's
```

`check` ends with exit code 0 when it passed, 1 when not yet, 2 for wrong usage; `--json` is for programs. `--file` is for a file elsewhere,
a script or a notebook that may do much else: only what the exercise asks for is run, and a notebook's places are `cell 3, line 5`.

Below is a first walk as it happened, made by `python docs/walk.py`: what was written into the file (what changed since the try before),
and what was answered.
"""


def main() -> None:
    write_text(PAGE, page())


def page() -> str:
    """The page, made by taking the walk in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)):
        return "\n".join([INTRODUCTION, *walk()])


def walk() -> Iterator[str]:
    yield session("etude practice start my_exercises --lang en")
    os.chdir("my_exercises")
    for number, (name, tries) in enumerate(TRIES.items(), start=1):
        yield f"## {number}. `{name}`\n"
        if going_on(Workbook.here()) == name:
            yield session("etude practice next")
        else:
            yield "The next of this lesson are the paper's. One may go on with any other, whose task stands at the top of its file:\n"
            yield block("", exercise(name).task("en"))
        before = ""
        for code in tries:
            if code is None:
                yield "The file as it came:\n"
            else:
                Path(f"{name}.py").write_text(code, encoding="utf-8")
                yield block("python", code.removeprefix(IMPORTS).strip()) if not before else block("diff", changes(before, code))
                before = code
            shown = session(f"etude practice check {name}")
            yield shown
            if "not yet" in shown:
                yield session(f"etude practice check {name} --lang zh")
            if "not yet" in shown and code == tries[0] and name == "residual_block":
                yield session(f"etude practice hint {name}")
                yield session(f"etude practice hint {name} --lang zh")
    yield "## Where that leads\n"
    yield session("etude practice list")


def changes(before: str, after: str) -> str:
    """The lines that changed."""
    old, new = before.splitlines(), after.splitlines()
    return "\n".join([*(f"- {line}" for line in old if line not in new), *(f"+ {line}".rstrip() for line in new if line not in old)])


def session(line: str) -> str:
    """A command and what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        app.run(shlex.split(line)[1:])
    printed = "\n".join(shown.rstrip() for shown in out.getvalue().strip("\n").splitlines())
    return block("", f"$ {line}\n{printed}")


def block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    main()
