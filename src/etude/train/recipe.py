"""Recipes: everything that determines a training run, as complete typed values in files. Imports no torch.

A recipe file is what one source says of training, for all its networks: which data, and for each budget (`smoke`, `laptop`, `paper`)
how to train. `resnet20.he2015` is that network by the recipe of that file; what a network needs otherwise stands beside its name there.
`load` gives the `Recipe` of one network at one budget, with nothing left to a default.
"""

import dataclasses
import fnmatch
import functools
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from etude.data import catalog
from etude.data.views import Views
from etude.errors import UsageError, nearest
from etude.files import at_home, is_text
from etude.models import registry
from etude.models.network import Network
from etude.tables import TableError, build, read_toml
from etude.values import read_settings

MOST_EPOCHS = 1_000_000
MOST_STEPS = 1_000_000_000
MOST_SHIFT = 1_000
EITHER = {"epochs": "steps", "steps": "epochs"}  # the length of a run
FOLDER = Path(__file__).parent / "recipes"
# papers that cannot be followed as they stand, by the name that their recipe would have
NO_RECIPE = "the paper (section 6) gives no learning rate, batch, weight decay or number of epochs"
INCOMPLETE = {"szegedy2014": NO_RECIPE, "szegedy2014_imagenet": NO_RECIPE}


def _check_rates(**rates: float) -> None:
    for key, rate in rates.items():
        if not 0 < rate < math.inf:
            raise ValueError(f"{key} = {rate:g}, expected a number above 0")


def _check_decay(weight_decay: float) -> None:
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay = {weight_decay:g}, expected a number, 0 for none")


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
        _check_decay(self.weight_decay)
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
        _check_decay(self.weight_decay)


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

    def share(self, done: float) -> float:
        """The learning rate, as a share of its peak, where `done` of all steps (a fraction) are behind."""
        return 1.0


@dataclass(frozen=True)
class OneCycle:
    """The learning rate rises linearly over the first `warmup` of all steps, then falls linearly to zero."""

    kind: Literal["one_cycle"]
    warmup: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup = {self.warmup}, expected a fraction of the run, 0 ≤ warmup < 1")

    def share(self, done: float) -> float:
        return done / self.warmup if done < self.warmup else (1 - done) / (1 - self.warmup)


@dataclass(frozen=True)
class Steps:
    """The learning rate is divided by `divisor` at each place `at`, of a run that is `of` long: [32_000, 48_000] of 64_000."""

    kind: Literal["steps"]
    at: tuple[float, ...]
    of: float
    divisor: float

    def __post_init__(self) -> None:
        if list(self.at) != sorted(set(self.at)) or not all(0 < at < self.of for at in self.at):
            raise ValueError(f"at = {list(self.at)} of {self.of:g}, expected places in the run, each later than the one before")
        if not 1 < self.divisor < math.inf:
            raise ValueError(f"divisor = {self.divisor:g}, expected a number above 1")

    def share(self, done: float) -> float:
        return self.divisor ** -sum(done >= at / self.of for at in self.at)


@dataclass(frozen=True)
class WarmUp:
    """A learning rate of its own at the beginning: for so many steps, or until the training error is below a fraction.

    Of the error the text says no more; it is taken over a hundred steps (`WARM_UP_WINDOW` in loop.py).
    """

    lr: float
    steps: int | None = None
    until_error: float | None = None

    def __post_init__(self) -> None:
        _check_rates(lr=self.lr)
        if (self.steps is None) == (self.until_error is None):
            raise ValueError("warm_up: expected either `steps` or `until_error`")
        if self.until_error is not None:
            _check_shares(until_error=self.until_error)
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"warm_up.steps = {self.steps}, expected at least 1")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and how to train.

    epochs           passes over the training images; the last one may be a part, as in 0.8 or 1.5
    steps            or, in place of `epochs`, the steps of the optimiser
    batch            images a step; the last batch of an epoch is smaller where it does not divide
    label_smoothing  share of a label that training spreads over all classes; 0 is plain cross-entropy, which tests always use
    shift, flip      augmentation: each training image moved by up to `shift` pixels in both directions, and mirrored by a coin's toss
    crop             a random part of it, of at least this share of its area, at full size; the whole image when absent
    side             height and width of the images, where the network is made for larger ones; its own when absent
    views            for a folder that need not fit into memory: how its images are cut, each decoded whenever it is wanted; in memory,
                     scaled to that size whatever their proportions, when absent
    batch_norm       where many processes do a run: "synchronised", by mean and variance of the whole batch; as in the papers' runs on
                     two cards, by those of its own part in each, when absent
    frozen           steps at the beginning in which the head alone is trained; none when absent
    warm_up          a lower learning rate before the schedule is followed; none when absent
    precision        "bf16" for steps whose convolutions and products are of bfloat16 numbers (torch's autocast); weights, their updates,
                     the loss and every test stay in float32, as everything does when absent
    images           how many of the training images to use, the first ones; all when absent
    validation       how many of the training images are held out, always the same ones; none when absent
    fitted           how many of the training images are tested too, as they are, to see how well they are fitted; none when absent
    result           the test accuracy after the last step, or after the epoch with the lowest validation error
    """

    epochs: float | None = None
    steps: int | None = None
    batch: int
    label_smoothing: float
    shift: int
    flip: bool
    optimizer: Sgd | AdamW | Muon
    schedule: Constant | OneCycle | Steps
    crop: float | None = None
    side: int | None = None
    views: Views | None = None
    batch_norm: Literal["synchronised"] | None = None
    frozen: int | None = None
    warm_up: WarmUp | None = None
    precision: Literal["bf16"] | None = None
    images: int | None = None
    validation: int | None = None
    fitted: int | None = None
    result: Literal["last", "lowest validation error"] = "last"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("expected either `epochs` or `steps`")
        if self.epochs is not None:
            _check_rates(epochs=self.epochs)
            if self.epochs > MOST_EPOCHS:
                raise ValueError(f"epochs = {self.epochs:g}, expected at most {MOST_EPOCHS:,}")
        if self.result != "last" and not self.validation:
            raise ValueError("result is that of the lowest validation error, and `validation` holds no images out")
        _check_shares(label_smoothing=self.label_smoothing)
        if self.crop is not None and not 0 < self.crop <= 1:
            raise ValueError(f"crop = {self.crop:g}, expected a share of the image, 0 < crop ≤ 1")
        if self.views and (self.crop or self.shift):
            raise ValueError("views cut the images, expected no `crop` beside them and shift = 0")
        if not 0 <= self.shift <= MOST_SHIFT:
            raise ValueError(f"shift = {self.shift}, expected a number of pixels, 0 for none and at most {MOST_SHIFT}")
        if self.steps is not None and self.steps > MOST_STEPS:
            raise ValueError(f"steps = {self.steps:,}, expected at most {MOST_STEPS:,}")
        for key in ("steps", "batch", "side", "frozen", "images", "validation", "fitted"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ValueError(f"{key} = {value}, expected at least 1")

    @property
    def length(self) -> str:
        """`10 epochs`, `64,000 steps`, `1 epoch in bf16`."""
        precision = f" in {self.precision}" if self.precision else ""
        if self.epochs is None:
            return f"{self.steps:,} steps{precision}"
        return f"{self.epochs:g} epoch{'' if self.epochs == 1 else 's'}{precision}"


PER_PIXEL = "per pixel"
Mean = tuple[float, ...] | Literal["per pixel"]


@dataclass(frozen=True, kw_only=True)
class Recipe(Budget):
    """How one network is trained at one budget: what a run does, completely.

    name       of the recipe's file
    mean, std  per channel, of pixel values between 0 and 1, to normalise images with; empty for those of the training images;
               a mean "per pixel" is the mean image of these, and has a std beside it
    paired     whether initial values are those of every network from the same seed, where shapes agree (initial.py)
    start      the run or the file whose weights it begins with; random ones when absent
    split      the seed by which images are held out of a folder that has no split; by the order of their names when absent
    broken     whether files of a folder that cannot be read are left out; they are refused when absent
    """

    name: str
    budget: str
    model: Network
    data: str
    mean: Mean
    std: tuple[float, ...]
    paired: bool = False
    start: str | None = None
    split: int | None = None
    broken: Literal["left out"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mean == PER_PIXEL and not self.std:
            raise ValueError("mean = 'per pixel' without std, expected one a channel, 1.0 to divide by nothing")
        numbers = () if isinstance(self.mean, str) else self.mean
        wrong = not all(math.isfinite(value) for value in numbers) or not all(0 < value < math.inf for value in self.std)
        if wrong or (self.mean != PER_PIXEL and len(self.mean) != len(self.std)):
            raise ValueError(f"mean = {_plain(self.mean)} and std = {list(self.std)}, expected one of each a channel, std above 0")
        if self.views:
            self._check_views(self.views)

    def _check_views(self, views: Views) -> None:
        channels, side, _ = self.image
        if views.scale and views.scale[0] < side:
            raise ValueError(f"views.scale = {list(views.scale)}, expected at least the {side} pixels of the square that is cut out")
        if views.colour and channels != 3:
            raise ValueError(f"views.colour = {views.colour!r}, expected none for images of {channels} channel{'s' * (channels > 1)}")
        if self.mean == PER_PIXEL and views.test[1] != side:
            raise ValueError(f"views.test = {list(views.test)}, expected a square of {side} pixels, as the mean image has")

    @property
    def title(self) -> str:
        """`resnet20.he2015`."""
        return f"{self.model}.{self.name}"

    @property
    def image(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images."""
        channels, height, width = self.model.input
        return (channels, min(height, self.side), min(width, self.side)) if self.side else self.model.input

    @property
    def tested(self) -> tuple[int, int, int]:
        """The same of images in tests, which may be larger."""
        return (self.image[0], self.views.test[1], self.views.test[1]) if self.views else self.image

    def streamed(self) -> "Recipe":
        """The same recipe for a folder that need not fit into memory: parts of the same areas, in proportions of their own."""
        if self.views:
            return self
        side = self.image[1]
        views = Views(area=(self.crop or 1.0, 1.0), aspect=(3 / 4, 4 / 3), test=(round(side * 8 / 7), side))
        return dataclasses.replace(self, views=views, crop=None, shift=0)

    def begun_with(self, start: str) -> "Recipe":
        """The same recipe from the weights of a run, a file, or a network that Etude brings trained; of a path the whole is kept."""
        place = at_home(start)
        return dataclasses.replace(self, start=str(place.resolve()) if place.exists() else start)

    def on(self, data: str) -> "Recipe":
        """The same recipe on other data, normalised by their own mean and spread; a mean per pixel is their own in any case.

        data  a name of the catalog, or a folder; of a folder the whole path is kept, so that a run finds it again from anywhere
        """
        if data not in catalog.names() and at_home(data).is_dir():
            data = str(at_home(data).resolve())
        if not is_text(data):
            raise UsageError(f"{data!a}: its name is no UTF-8, and a run could not write it down; rename the folder")
        if data == self.data:
            return self
        if self.mean == PER_PIXEL:
            return dataclasses.replace(self, data=data)
        return dataclasses.replace(self, data=data, mean=(), std=())


@dataclass(frozen=True)
class File:
    """A recipe file. Of `networks`, each with what it needs otherwise by budget, those that match a pattern such as "resnet*" are meant.

    data     "" for images that are always somebody's own
    options  of the networks, where a name does not give them itself: { dropout = 0.2 }
    """

    name: str
    data: str
    mean: Mean
    std: tuple[float, ...]
    networks: Mapping[str, Mapping[str, Mapping[str, Any]]]
    budget: Mapping[str, Mapping[str, Any]]
    paired: bool = False
    split: int | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def models(self) -> tuple[str, ...]:
        """The registered networks that the recipe is for."""
        return tuple(name for name in registry.names() if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.networks))

    def recipe(self, model: Network, budget: str) -> Recipe:
        """How a network is trained at a budget. Raises UsageError where the file lacks one of them, TableError for a wrong value."""
        if model.name not in self.models:
            raise UsageError(f"{self.name} is no recipe for {model.name}; {nearest(model.name, self.models)}")
        if budget not in self.budget:
            raise UsageError(f"{self.name} has no budget `{budget}`; {nearest(budget, self.budget)}")
        table = dict(self.budget[budget])
        for pattern, needs in self.networks.items():
            if fnmatch.fnmatchcase(model.name, pattern):
                table = merged(table, needs.get(budget, {}))
        model = Network(model.name, {**self.options, **model.options})
        data = str(at_home(self.data)) if self.data.startswith("~") else self.data
        given = {"name": self.name, "budget": budget, "model": model, "data": data, "mean": self.mean, "std": self.std}
        return build(Recipe, table, f"{self.name}.toml: budget.{budget}", **given, paired=self.paired, split=self.split)


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The table with the changes, those of an inner table key by key."""
    both = [key for key, value in changes.items() if isinstance(value, dict) and isinstance(table.get(key), dict)]
    return {**table, **changes, **{key: merged(table[key], changes[key]) for key in both}}


def files() -> tuple[str, ...]:
    """The recipe files that Etude brings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def names() -> tuple[str, ...]:
    """Every network by a recipe that Etude brings: "lecture_residual.lecture"."""
    return tuple(f"{model}.{name}" for name in files() for model in brought(name).models)


@functools.cache
def brought(name: str) -> File:
    """A recipe file that Etude brings, as it stands."""
    return as_it_stands(FOLDER / f"{name}.toml")


def as_it_stands(path: Path) -> File:
    return build(File, based(path), path.name, name=path.stem)


def find(name: str) -> tuple[Path, Network | None]:
    """The file of a recipe and the network before its name: `resnet20(shortcut=B).he2015`, `mine.toml`, `resnet20.mine.toml`.

    Raises UsageError with the nearest names.
    """
    if name.endswith(".toml"):
        parts = re.fullmatch(r"([\w@]+(?:\(.*\))?)\.(.+\.toml)", name)
        if Path(name).exists() or parts is None or parts[1].partition("(")[0] not in registry.names():
            return Path(name), None
        return Path(parts[2]), Network.read(parts[1])
    model, _, file = name.rpartition(".")
    if file in INCOMPLETE:
        raise UsageError(f"no recipe `{name}`: {INCOMPLETE[file]}; write a file of your own, and train by {model}.mine.toml")
    if file not in files() or model.partition("(")[0] not in registry.names():
        raise UsageError(f"no recipe `{name}`; {nearest(name, names())}")
    return FOLDER / f"{file}.toml", Network.read(model)


OWN_IMAGES = ("scratch", "finetune")  # recipes for somebody's own images, from random weights and from others


def for_own_images(name: str, start: bool) -> str:
    """The recipe by which a network of that name is trained on somebody's own images, from weights or not; other names as they are."""
    alone = name in registry.names() or (name.endswith(")") and name.partition("(")[0] in registry.names())
    return f"{name}.{OWN_IMAGES[start]}" if alone else name


def read(path: Path) -> File:
    """A recipe file, every budget of every network in it checked, unless Etude brings it. Raises TableError naming file and key."""
    return brought(path.stem) if path.parent == FOLDER else checked(path)


def checked(path: Path) -> File:
    """The same of any file."""
    file = as_it_stands(path)
    if not file.networks:
        raise TableError(f"{path.name}: networks names none; expected at least one, such as lecture_residual = {{}}")
    for pattern, needs in file.networks.items():
        if not registry.names(pattern):
            raise TableError(f"{path.name}: networks.{pattern} is no network; {nearest(pattern, registry.names())}")
        for budget in needs:
            if budget not in file.budget:
                raise TableError(f"{path.name}: networks.{pattern}: no budget `{budget}`; {nearest(budget, file.budget)}")
    for model in file.models:
        for budget in file.budget:
            file.recipe(Network(model), budget)
    return file


def based(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The table of a recipe file; where it names a `base`, a file beside it or one of Etude's, the table of that with its own changes."""
    if path in above:
        raise TableError(f"{path.name}: is its own base; expected another file")
    table = read_toml(path)
    if "base" not in table:
        return table
    name = f"{table.pop('base')}.toml"
    beside = path.parent / name
    return merged(based(beside if beside.exists() else FOLDER / name, (*above, path)), table)


def load(name: str, budget: str) -> Recipe:
    """The recipe of that name (see `find`) at one of its budgets. The network may be left out where the file is for a single one."""
    path, model = find(name)
    file = read(path)
    if model is None and len(file.models) != 1:
        example = f"{file.models[0]}.{name}"
        raise UsageError(f"{name} is for {', '.join(file.models)}; say which: {example}")
    return file.recipe(model or Network(file.models[0]), budget)


def copied(name: str) -> str:
    """The text of a recipe file for that network alone, every value at its place, below the comments of the original."""
    path, model = find(name)
    if model is not None and model.options:
        raise UsageError(f"{name}: a recipe's file is for networks without options; give them to etude train: --set model.OPTION=VALUE")
    file = read(path)
    budgets = {}
    for budget in file.budget:
        table = as_table(load(name, budget))
        budgets[budget] = {field.name: table[field.name] for field in dataclasses.fields(Budget) if field.name in table}
    own = model.name if model else file.models[0]
    top = {"data": file.data, "mean": _plain(file.mean), "std": list(file.std)}
    top |= {key: value for key, value in (("paired", file.paired), ("split", file.split), ("options", file.options)) if value}
    content = {**top, "networks": {own: {}}, "budget": budgets}
    comments = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    return "\n".join([f"# {own}.{file.name}, copied from", *comments, "", tomli_w.dumps(content)])


def to_toml(recipe: Recipe) -> str:
    """The complete recipe as TOML; `from_toml` reads it back to an equal value."""
    return tomli_w.dumps(as_table(recipe))


def from_toml(path: Path) -> Recipe:
    """A recipe as it stands in a run's folder."""
    return from_table(read_toml(path), str(path))


def as_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values; its network is a table of `name` and options, one that is None as the text `none`."""
    table = _plain(recipe)
    options = {option: "none" if value is None else _plain(value) for option, value in recipe.model.options.items()}
    return {**table, "model": {"name": recipe.model.name, **options}}


def from_table(table: Mapping[str, Any], where: str) -> Recipe:
    """The recipe in a table as `as_table` makes it; a text in place of its network's table is a name with options."""
    table = dict(table)
    model = table.pop("model", None)
    if isinstance(model, str):
        network = Network.read(model)
    elif isinstance(model, dict) and isinstance(model.get("name"), str):
        network = Network(model["name"], {option: _option(value) for option, value in model.items() if option != "name"})
    else:
        raise TableError(f"{where}: model = {model!r}, expected a network's name, or a table with its name and options")
    return build(Recipe, table, where, model=network)


def change(recipe: Recipe, settings: tuple[str, ...]) -> Recipe:
    """The recipe with `key=value` settings applied, e.g. "epochs=3", "optimizer.lr=0.05", "model.shortcut=conv".

    Raises UsageError for a setting that is no assignment, TableError for an unknown key or a wrong value.
    """
    table = as_table(recipe)
    for key, value in read_settings(settings).items():
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = inner.get(part, {})
            if not isinstance(inner, dict) or not inner:
                raise TableError(f"--set {key}: unknown key `{key}`; {nearest(key, _keys(table))}")
        known = inner if path else {field.name for field in dataclasses.fields(Recipe)}
        if last not in known and path != ["model"]:  # which options a network has is known when it is built
            raise TableError(f"--set {key}: unknown key `{key}`; {nearest(key, _keys(table))}")
        network = Network.read(value) if key == "model" and isinstance(value, str) else None
        inner[last] = {"name": network.name, **network.options} if network else value
        table.pop(EITHER.get(key, ""), None)
    return from_table(table, "--set")


def _option(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else None if value == "none" else value


def _keys(table: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Every key of a nested table, dotted."""
    inner = (_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name] for name, value in table.items())
    return [key for keys in inner for key in keys]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: value for name, value in fields.items() if value is not None}
    return list(value) if isinstance(value, tuple) else value
