"""Judges a learner's training loop: run on a tiny model that notes its mode, its batches and its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from etude.explain.findings import Finding
from etude.explain.raised import explained
from etude.practice.answers import Raised, raised
from etude.practice.candidates import signature
from etude.practice.exercises import Exercise
from etude.practice.judgement import Judgement
from etude.practice.sources import loaded, wrong_answers

IMAGES, BATCH, FEATURES, CLASSES = 13, 5, 6, 4  # the last batch is smaller
BATCHES = -(-IMAGES // BATCH)
CLOSE = 1e-6


class Watched(nn.Module):
    """A classifier that is another function in each mode, without chance, and notes the mode of every call."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, 8)
        self.norm = nn.BatchNorm1d(8)
        self.fc2 = nn.Linear(8, CLASSES)
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        y = torch.relu(self.norm(self.fc1(x)))
        y = y * torch.tensor([1.0, 0.0] * 4) if self.training else y  # a dropout that always drops the same
        return self.fc2(y)


@dataclass(frozen=True)
class Seen:
    """What the two functions did: modes of the calls, weights after two epochs, the accuracy, and whether testing changed the model.

    order  of backward (b) and step (s), which tells mistakes apart that end alike
    """

    order: str
    training: tuple[bool, ...]
    weights: Tensor
    testing: tuple[bool, ...]
    accuracy: float | None
    changed: bool

    def equals(self, other: "Seen") -> bool:
        same = (self.training, self.testing, self.changed) == (other.training, other.testing, other.changed)
        return same and apart(self.weights, other.weights) < CLOSE and self.accuracy_equals(other)

    def accuracy_equals(self, other: "Seen") -> bool:
        if self.accuracy is None or other.accuracy is None:
            return self.accuracy is other.accuracy
        return abs(self.accuracy - other.accuracy) < CLOSE


def apart(one: Tensor, other: Tensor) -> float:
    return ((one - other).abs().max() / other.abs().max()).nan_to_num(float("inf")).item()


def observed(functions: Any) -> Seen:
    """Two epochs of training from one state, in a model that was left in eval mode; a test of another, left in training mode.

    Raises Raised.
    """
    torch.manual_seed(0)
    x, y = torch.randn(IMAGES, FEATURES), torch.randint(CLASSES, (IMAGES,))
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH)
    model, tested = Watched().double().eval(), Watched().double().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    order: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: order.append("s"))
    model.fc2.bias.register_post_accumulate_grad_hook(lambda _: order.append("b"))
    with raised("run"):
        for _ in range(2):
            functions.train_one_epoch(model, loader, optimizer)
    nn.init.uniform_(tested.norm.running_mean, -1, 1)  # type: ignore[arg-type]
    before = state(tested)
    with raised("run"):
        share = functions.accuracy(tested, loader)
        share = float(share) if isinstance(share, (int, float, Tensor)) else None
    return Seen("".join(order), tuple(model.modes), state(model), tuple(tested.modes), share, not torch.equal(state(tested), before))


def state(model: nn.Module) -> Tensor:
    """All weights and running statistics, one after the other."""
    return torch.cat([tensor.detach().double().flatten() for tensor in model.state_dict().values()])


def judged(exercise: Exercise, functions: Any, file: Path) -> Judgement:
    """What is wrong with the learner's loop."""
    try:
        seen = observed(functions)
    except Raised as error:
        explanation = explained(error.error, file)
        for id_, source in exercise.sources.items():
            other = outcome(source, id_)
            if isinstance(other, Raised) and explanation.key != "todo" and signature(other.error) == signature(error.error):
                return Judgement([Finding(id_, line=explanation.line), explanation], first=True)
        return Judgement([explanation], first=True)
    right = outcome(exercise.reference_source, "solution")
    assert isinstance(right, Seen)
    if seen.equals(right):
        return Judgement()
    if made := next((ids for ids, source in wrong_answers(exercise) if is_that(seen, outcome(source, exercise.name))), None):
        return Judgement([Finding(id_) for id_ in made])
    return Judgement([unknown(seen, right)], first=True)


def outcome(source: str, name: str) -> Seen | Raised:
    try:
        return observed(loaded(source, name))
    except Raised as error:
        return error


def is_that(seen: Seen, other: Seen | Raised) -> bool:
    return isinstance(other, Seen) and seen.order == other.order and seen.equals(other)


def unknown(seen: Seen, right: Seen) -> Finding:
    """The first thing that was seen to differ."""
    if len(seen.training) != len(right.training):
        return Finding("training_batches", {"have": f"{len(seen.training) / 2:g}", "want": BATCHES})
    if seen.training != right.training:
        return Finding("training_modes", {"have": sum(seen.training), "want": len(right.training)})
    if apart(seen.weights, right.weights) >= CLOSE:
        return Finding("training_weights", {"have": f"{apart(seen.weights, right.weights):.0e}"})
    if seen.testing != right.testing:
        return Finding("accuracy_modes", {"have": len(seen.testing) - sum(seen.testing), "want": BATCHES})
    if seen.changed:
        return Finding("accuracy_changes")
    assert right.accuracy is not None
    return Finding("accuracy_value", {"have": "None" if seen.accuracy is None else f"{seen.accuracy:.4f}", "want": f"{right.accuracy:.4f}"})
