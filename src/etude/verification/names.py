"""What the operators of a table are called, in the paper's names: conv2_x.0.conv1, the ReLU behind conv1, the unit conv2_x.0."""

from collections.abc import Mapping, Sequence

from etude.explain.outline import FOLLOWERS, label
from etude.papers import Step
from etude.verification.repair import JOINS, POOLS

NOUNS = {
    "batch_norm": "BN",
    "relu": "ReLU",
    "local_response_norm": "LRN",
    "max_pool": "max pool",
    "avg_pool": "average pool",
    "global_avg_pool": "global average pool",
    "add": "addition",
    "concat": "concatenation",
    "dropout": "dropout",
    "multiply": "product",
    "conv": "convolution",
}


class Names:
    """blocks: the first and the last operator of everything that holds others."""

    def __init__(self, steps: Sequence[Step], blocks: Mapping[str, tuple[int, int]]) -> None:
        self.steps, self.blocks = steps, blocks
        self.firsts: dict[str, int] = {}
        for index, step in enumerate(steps):
            if step.path not in blocks:
                self.firsts.setdefault(step.path, index)

    def named(self, index: int) -> bool:
        """Whether the paper has a name for just this operator."""
        path = self.steps[index].path
        return bool(path) and self.firsts.get(path) == index

    def name(self, index: int) -> str:
        """An operator of the table: conv2_x.0.conv1, the ReLU behind conv1, the addition of conv2_x.0."""
        step = self.steps[index]
        noun = noun_of(step)
        if self.named(index):
            return step.path if step.op in ("conv", "linear") else f"the {noun} {step.path}"
        if step.op in JOINS:
            return f"the {noun} of {step.path}"
        if any(first <= index <= last and step.inputs[0] < first for name, (first, last) in self.blocks.items() if name == step.path):
            return f"the first {noun} of {step.path}"
        return f"the {noun} behind {self.anchor(step.inputs[0])}"

    def anchor(self, index: int) -> str:
        """The last operator with a name at or before one."""
        while index >= 0 and not self.named(index) and self.steps[index].op not in JOINS:
            index = self.steps[index].inputs[0]
        return "the image" if index < 0 else self.steps[index].path if self.named(index) else self.name(index)

    def layer(self, index: int) -> str:
        """The path of an operator; of one without, that of the layer it follows."""
        start = index
        while index >= 0 and (not self.steps[index].path or (index != start and self.steps[index].op in POOLS)):
            index = self.steps[index].inputs[0]
        return self.steps[index if index >= 0 else start].path

    def stage(self, index: int) -> str:
        """conv1, conv2_x, inception_3a; of an activation outside of these, that of the layer it follows."""
        while "." not in self.steps[index].path and self.steps[index].op in FOLLOWERS and self.steps[index].inputs[0] >= 0:
            index = self.steps[index].inputs[0]
        return self.layer(index).split(".")[0]

    def block(self, steps: Sequence[int]) -> str:
        """The innermost block that has just these operators."""
        span = (steps[0], steps[-1])
        return [name for name, where in sorted(self.blocks.items()) if where == span][-1]

    def units(self, unit: str) -> tuple[int, str]:
        """How many units the stage of a unit has; 0 for a block that is no unit of a stage."""
        stage, _, number = unit.rpartition(".")
        return (sum(name.startswith(f"{stage}.") for name in self.blocks), stage) if number.isdigit() else (0, "")

    def unit_of(self, index: int) -> str:
        """The unit in which an operator stands."""
        return next((name for name, (first, last) in self.blocks.items() if first <= index <= last and self.units(name)[0]), "")

    def unit_before(self, index: int) -> str:
        """The unit in front of an operator."""
        return self.unit_of(self.steps[index].inputs[0])


def noun_of(step: Step) -> str:
    """BN, ReLU, addition, or else what it is with its sizes: 3×3 conv 64."""
    return NOUNS.get(step.op) or label(step)
