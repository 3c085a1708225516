"""Recipes: everything that determines a training run, as complete typed values in files. Imports no torch.

A recipe file says once which network and which data, and for each budget (`smoke`, `laptop`, `paper`) how to train.
`load` gives the `Recipe` of one budget, with nothing left to a default.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from etude.data import catalog
from etude.errors import UsageError, nearest
from etude.tables import TableError, build, read_toml

FOLDER = Path(__file__).parent / "recipes"


def _check_rates(**rates: float) -> None:
    for key, rate in rates.items():
        if not 0 < rate < math.inf:
            raise ValueError(f"{key} = {rate:g}, expected a number above 0")


def _check_shares(**shares: float | tuple[float, ...]) -> None:
    for key, several in shares.items():
        for share in several if isinstance(several, tuple) else (several,):
            if not 0 <= share < 1:
                raise ValueError(f"{key} = {share:g}, expected 0 ≤ {key} < 1")


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent. `lr` is the peak of the schedule."""

    name: Literal["sgd"]
    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float

    def __post_init__(self) -> None:
        _check_rates(lr=self.lr)
        _check_shares(momentum=self.momentum)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov = true with momentum = 0; Nesterov's form needs a momentum")


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay. `lr` is the peak of the schedule."""

    name: Literal["adamw"]
    lr: float
    betas: tuple[float, float]
    weight_decay: float

    def __post_init__(self) -> None:
        _check_rates(lr=self.lr)
        _check_shares(betas=self.betas)


@dataclass(frozen=True)
class Muon:
    """Muon for the weights of convolutions, Adam for everything else; see muon.py. Both rates follow the schedule."""

    name: Literal["muon"]
    lr: float
    momentum: float
    adam_lr: float
    adam_betas: tuple[float, float]

    def __post_init__(self) -> None:
        _check_rates(lr=self.lr, adam_lr=self.adam_lr)
        _check_shares(momentum=self.momentum, adam_betas=self.adam_betas)


@dataclass(frozen=True)
class Constant:
    """The learning rate stays as it is."""

    kind: Literal["constant"]


@dataclass(frozen=True)
class OneCycle:
    """The learning rate rises linearly over the first `warmup` of all steps, then falls linearly to zero."""

    kind: Literal["one_cycle"]
    warmup: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup = {self.warmup}, expected a fraction of the run, 0 ≤ warmup < 1")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and how to train.

    epochs           passes over the training images; the last one may be a part, as in 0.8 or 1.5
    batch            images a step; the last batch of an epoch is smaller where it does not divide
    label_smoothing  share of a label that training spreads over all classes; 0 is plain cross-entropy, which tests always use
    shift, flip      augmentation: each training image moved by up to `shift` pixels in both directions, and mirrored by a coin's toss
    images           how many of the training images to use, the first ones; all when absent
    """

    epochs: float
    batch: int
    label_smoothing: float
    shift: int
    flip: bool
    optimizer: Sgd | AdamW | Muon
    schedule: Constant | OneCycle
    images: int | None = None

    def __post_init__(self) -> None:
        _check_rates(epochs=self.epochs)
        _check_shares(label_smoothing=self.label_smoothing)
        if self.shift < 0:
            raise ValueError(f"shift = {self.shift}, expected a number of pixels, 0 for none")
        for key in ("batch", "images"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ValueError(f"{key} = {value}, expected at least 1")


@dataclass(frozen=True)
class File:
    """A recipe file. `mean` and `std` are per channel, of pixel values between 0 and 1."""

    name: str
    model: str
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    budget: Mapping[str, Budget]


@dataclass(frozen=True, kw_only=True)
class Recipe(Budget):
    """One recipe at one budget: what a run does, completely. Without `mean` and `std` they are taken from the training images."""

    name: str
    budget: str
    model: str
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.mean) != len(self.std) or not all(0 < value < math.inf for value in self.std):
            raise ValueError(f"mean = {list(self.mean)} and std = {list(self.std)}, expected one of each a channel, std above 0")

    def on(self, data: str) -> "Recipe":
        """The same recipe on other data, whose mean and spread then replace those of the recipe's own.

        data  a name of the catalog, or a folder; of a folder the whole path is kept, so that a run finds it again from anywhere
        """
        if data not in catalog.names() and Path(data).expanduser().is_dir():
            data = str(Path(data).expanduser().resolve())
        return self if data == self.data else dataclasses.replace(self, data=data, mean=(), std=())


def names() -> tuple[str, ...]:
    """The recipes that Etude brings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find(name: str) -> Path:
    """The file of a recipe: one of ours by name, or a path to a .toml file. Raises UsageError with the nearest names."""
    if name.endswith(".toml"):
        return Path(name)
    if name not in names():
        raise UsageError(f"no recipe `{name}`; {nearest(name, names())}")
    return FOLDER / f"{name}.toml"


def read(path: Path) -> File:
    """A recipe file, checked. Raises TableError naming file and key."""
    return build(File, read_toml(path), path.name, name=path.stem)


def load(name: str, budget: str) -> Recipe:
    """The recipe of that name, or in that .toml file, at one of its budgets."""
    file = read(find(name))
    if budget not in file.budget:
        raise UsageError(f"{file.name} has no budget `{budget}`; {nearest(budget, file.budget)}")
    how = {field.name: getattr(file.budget[budget], field.name) for field in dataclasses.fields(Budget)}
    return Recipe(name=file.name, budget=budget, model=file.model, data=file.data, mean=file.mean, std=file.std, **how)


def to_toml(recipe: Recipe) -> str:
    """The complete recipe as TOML; `from_toml` reads it back to an equal value."""
    return tomli_w.dumps(_without_none(dataclasses.asdict(recipe)))


def from_toml(path: Path) -> Recipe:
    """A recipe as it stands in a run's folder."""
    return build(Recipe, read_toml(path), str(path))


def change(recipe: Recipe, settings: tuple[str, ...]) -> Recipe:
    """The recipe with `key=value` settings applied, e.g. "epochs=3", "optimizer.lr=0.05", `model="lecture_residual"`.

    Raises UsageError for a setting that is no assignment, TableError for an unknown key or a wrong value.
    """
    table = _without_none(dataclasses.asdict(recipe))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected key=value, e.g. --set optimizer.lr=0.05")
        *path, last = key.strip().split(".")
        inner = table
        for part in path:
            inner = inner.get(part, {})
            if not isinstance(inner, dict) or not inner:
                raise TableError(f"--set {setting}: unknown key `{key}`; {nearest(key, _keys(table))}")
        known = inner if path else {field.name for field in dataclasses.fields(Recipe)}
        if last not in known:
            raise TableError(f"--set {setting}: unknown key `{key}`; {nearest(key, _keys(table))}")
        inner[last] = _value(text)
    return build(Recipe, table, "--set")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _keys(table: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Every key of a nested table, dotted."""
    inner = (_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name] for name, value in table.items())
    return [key for keys in inner for key in keys]


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    items = ((key, _without_none(value) if isinstance(value, dict) else value) for key, value in table.items())
    return {key: list(value) if isinstance(value, tuple) else value for key, value in items if value is not None}
