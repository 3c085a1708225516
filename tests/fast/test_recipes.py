"""Every recipe complete and true to its paper; wrong settings refused by key."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

from etude import papers
from etude.errors import UsageError
from etude.models import registry
from etude.models.network import Network
from etude.tables import TableError
from etude.train import recipe as recipes
from etude.train.recipe import OneCycle, Recipe, Sgd

BUDGETS = {"smoke", "laptop", "paper"}
NAMES = recipes.names()
FILES = [recipes.FOLDER / f"{name}.toml" for name in recipes.files()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_has_three_budgets_and_networks(path: Path) -> None:
    """Nothing of one is wrong, which is not looked for whenever somebody takes it."""
    file = recipes.checked(path)
    assert set(file.budget) == BUDGETS
    assert file.models
    assert all(f"{model}.{path.stem}" in NAMES for model in file.models)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_opens_with_how_to_run_it(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    for line in (f"# {path.stem}", "# run ", "# expect ", "# departs "):
        assert line in head, f"{path.stem} does not say {line!r}"
    file = recipes.read(path)
    for model in file.models if file.data else ():  # what is published is published of its data
        for curve in papers.load(registry.row(model).paper).curves.values():
            assert curve.network != model or f"{curve.last.value:.2f} % of {model}" in head


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("budget", sorted(BUDGETS))
def test_a_recipe_survives_its_run_folder(path: Path, budget: str, tmp_path: Path) -> None:
    file, stored = recipes.read(path), tmp_path / "recipe.toml"
    for model in file.models:
        recipe = file.recipe(Network(model), budget)
        stored.write_text(recipes.to_toml(recipe), encoding="utf-8")
        assert recipes.from_toml(stored) == recipe


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".lecture")])
def test_the_paper_budget_is_the_lectures_own_recipe(name: str) -> None:
    fact = papers.load("lecture").fact
    recipe = recipes.load(name, "paper")
    assert recipe.batch == fact("recipe_batch").held
    assert recipe.epochs == fact("recipe_epochs").held
    assert recipe.mean == (fact("recipe_mean").held,)
    assert recipe.std == (fact("recipe_std").held,)
    optimizer = {"name": "sgd", "nesterov": False, "weight_decay": 0.0}
    optimizer |= {"lr": fact("recipe_learning_rate").held, "momentum": fact("recipe_momentum").held}
    assert dataclasses.asdict(recipe.optimizer) == optimizer
    assert (recipe.label_smoothing, recipe.shift, recipe.flip) == (0, 0, False)
    assert recipe.schedule.kind == "constant"
    assert recipe.images is None


@pytest.mark.parametrize("budget", ["smoke", "laptop", "paper"])
def test_exercise_11_1_is_trained_by_the_recipe_of_the_original_block(budget: str) -> None:
    def how(model: str) -> Recipe:
        return dataclasses.replace(recipes.load(f"{model}.lecture", budget), model=Network("lecture_residual"))

    assert how("lecture_residual") == how("lecture_residual_scaled") == how("lecture_residual_conv")


@pytest.fixture
def recipe() -> Recipe:
    return recipes.load("lecture_residual.lecture", "paper")


def test_settings_change_one_value(recipe: Recipe) -> None:
    changed = recipes.change(recipe, ("optimizer.lr=0.05", "epochs=3", "model=lecture_inception", "images=100"))
    assert (changed.optimizer.lr, changed.epochs, str(changed.model), changed.images) == (0.05, 3, "lecture_inception", 100)
    assert changed.batch == recipe.batch


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epocs=3", "unknown key `epocs`; did you mean epochs"),
        ("optimizer.lrr=3", "unknown key `optimizer.lrr`; did you mean optimizer.lr"),
        ("optimiser.lr=3", "unknown key `optimiser.lr`; did you mean optimizer.lr"),
        ("epochs=three", "epochs = 'three', expected a number"),
        ("mean=0", "mean = 0, expected a list"),
        ("std=[]", "mean = [0.1307] and std = [], expected one of each a channel"),
        ("steps=0", "steps = 0, expected at least 1"),
        ("steps=10000000000", "steps = 10,000,000,000, expected at most 1,000,000,000"),
        ("optimizer.lr=1" + "0" * 400, "optimizer.lr has more digits than a number may have"),
        ("epochs=0", "epochs = 0, expected a number above 0"),
        ("epochs=1e999", "epochs = inf, expected a number above 0"),
        ("optimizer.lr=-1", "lr = -1, expected a number above 0"),
        ("epochs=1e308", "epochs = 1e+308, expected at most 1,000,000"),
        ("shift=100000", "shift = 100000, expected a number of pixels, 0 for none and at most 1000"),
        ("optimizer.weight_decay=-1", "weight_decay = -1, expected a number, 0 for none"),
        ('optimizer={"name":"adamw","lr":1,"betas":[0.9,0.9],"weight_decay":-1}', "weight_decay = -1, expected a number, 0 for none"),
        ("optimizer.momentum=1", "momentum = 1, expected 0 ≤ momentum < 1"),
        ('optimizer={"name":"sgd","lr":1,"momentum":0,"nesterov":true,"weight_decay":0}', "nesterov = true with momentum = 0"),
        ("std=[0]", "std = [0.0], expected one of each a channel"),
        ('optimizer={"name":"adamw","lr":1,"betas":[-1,0.9],"weight_decay":0}', "betas = -1, expected 0 ≤ betas < 1"),
        ("shift=-1", "shift = -1, expected a number of pixels"),
        ("label_smoothing=1", "label_smoothing = 1, expected 0 ≤ label_smoothing < 1"),
        ("batch=0", "batch = 0, expected at least 1"),
        ("batch=1.5", "batch = 1.5, expected a whole number"),
        ("optimizer.name=sdg", "optimizer.name = 'sdg', expected one of 'sgd'"),
        ('warm_up={"lr": 0.1}', "warm_up: expected either `steps` or `until_error`"),
        ('warm_up={"lr": 0.1, "steps": 0}', "warm_up.steps = 0, expected at least 1"),
        ('warm_up={"lr": 0, "steps": 9}', "lr = 0, expected a number above 0"),
        ('warm_up={"lr": 0.1, "until_error": 80}', "until_error = 80, expected 0 ≤ until_error < 1"),
        ('result="lowest validation error"', "result is that of the lowest validation error, and `validation` holds no images out"),
        ("validation=0", "validation = 0, expected at least 1"),
        ('schedule={"kind": "steps", "at": [3, 2], "of": 4, "divisor": 10}', "at = [3.0, 2.0] of 4, expected places in the run"),
        ('schedule={"kind": "steps", "at": [4], "of": 4, "divisor": 10}', "at = [4.0] of 4, expected places in the run"),
        ('schedule={"kind": "steps", "at": [1], "of": 4, "divisor": 1}', "divisor = 1, expected a number above 1"),
        ("schedule.kind=one_cycle", "schedule: missing key `warmup`"),
        ("batch_norm=sync", "batch_norm = 'sync', expected one of 'synchronised'"),
        ('schedule={"kind": "one_cycle", "warmup": 2}', "warmup = 2.0, expected a fraction"),
    ],
)
def test_a_wrong_setting_is_refused_by_key(recipe: Recipe, setting: str, message: str) -> None:
    with pytest.raises(TableError) as caught:
        recipes.change(recipe, (setting,))
    assert message in str(caught.value)


def test_a_mean_is_a_number() -> None:
    with pytest.raises(ValueError, match=r"mean = \[nan\] and std = \[0.3081\], expected one of each a channel"):
        dataclasses.replace(recipes.load("lecture_residual.lecture", "smoke"), mean=(math.nan,))


def test_a_setting_without_a_value_is_a_usage_error(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        recipes.change(recipe, ("epochs",))


def test_a_whole_table_may_be_set(recipe: Recipe) -> None:
    changed = recipes.change(recipe, ('schedule={"kind": "one_cycle", "warmup": 0.1}',))
    assert changed.schedule == OneCycle("one_cycle", 0.1)


def test_other_data_brings_its_own_statistics(recipe: Recipe) -> None:
    assert recipe.on("mnist") is recipe
    assert recipe.on("strokes").mean == ()


def test_the_length_is_epochs_or_steps(recipe: Recipe, tmp_path: Path) -> None:
    for setting, length in (("steps=500", "500 steps"), ("epochs=0.5", "0.5 epochs")):
        recipe = recipes.change(recipe, (setting,))
        assert recipe.length == length
    with pytest.raises(TableError, match="expected either `epochs` or `steps`"):
        recipes.from_table({**recipes.as_table(recipe), "steps": 3}, "here")


def test_a_paper_without_a_recipe_is_said_to_have_none() -> None:
    for name in ("szegedy2014", "szegedy2014_imagenet"):
        with pytest.raises(UsageError, match=rf"no recipe `googlenet\.{name}`: the paper \(section 6\) gives no learning rate, batch"):
            recipes.load(f"googlenet.{name}", "paper")


def test_unknown_recipes_and_budgets_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean lecture_residual\.lecture"):
        recipes.load("lecture_residual.lectur", "paper")
    with pytest.raises(UsageError, match="no budget `papr`; did you mean paper"):
        recipes.load("lecture_residual.lecture", "papr")


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = recipes.copied("lecture_residual.lecture")
    file.write_text(text, encoding="utf-8")
    for budget in BUDGETS:
        assert recipes.load(str(file), budget) == dataclasses.replace(recipes.load("lecture_residual.lecture", budget), name="mine")
    file.write_text(text.replace("epochs = 10", "epochs = 2"), encoding="utf-8")
    assert recipes.load(str(file), "paper").epochs == 2
    file.write_text(text.replace("epochs = 10", "epoch = 2"), encoding="utf-8")
    with pytest.raises(TableError, match=r"mine\.toml.*unknown key `epoch`; did you mean epochs"):
        recipes.load(str(file), "paper")
    with pytest.raises(TableError, match=r"gone\.toml: cannot be read"):
        recipes.load(str(tmp_path / "gone.toml"), "paper")


def test_a_file_may_say_only_what_differs_from_another(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text('base = "huang2017_c10"\n[budget.paper.optimizer]\nlr = 0.2', encoding="utf-8")
    (tmp_path / "mine.toml").write_text('base = "first"\ndata = "cifar100"\n[budget]\npaper = {epochs = 2}', encoding="utf-8")
    mine, theirs = (recipes.load(f"densenet_40_12.{file}", "paper") for file in (str(tmp_path / "mine.toml"), "huang2017_c10"))
    optimizer = dataclasses.replace(theirs.optimizer, lr=0.2)
    assert mine == dataclasses.replace(theirs, name="mine", data="cifar100", epochs=2, optimizer=optimizer)
    assert mine.model == Network("densenet_40_12", {"dropout": 0.2})
    assert recipes.load("densenet_40_12(dropout=0.1).huang2017_c10", "paper").model == Network("densenet_40_12", {"dropout": 0.1})
    copied = tmp_path / "copied.toml"
    copied.write_text(recipes.copied("densenet_40_12.huang2017_c10"), encoding="utf-8")
    assert recipes.load(str(copied), "paper") == dataclasses.replace(theirs, name="copied")
    for base, message in (
        ("mine", "is its own base"),
        ("gone", r"gone\.toml: cannot be read"),
        ("sub/gone", r"gone\.toml: cannot be read"),
        (3, r"3\.toml: cannot be read"),
    ):
        (tmp_path / "first.toml").write_text(f"base = {base!r}", encoding="utf-8")
        with pytest.raises(TableError, match=message):
            recipes.read(tmp_path / "mine.toml")


def test_a_file_for_several_networks_wants_to_know_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (recipes.FOLDER / "lecture.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("[networks]", '[networks]\n"resnet1*" = {}'), encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.toml is for lecture_inception, .*say which: lecture_inception\.mine\.toml"):
        recipes.load("mine.toml", "paper")
    assert recipes.load("resnet18.mine.toml", "laptop").title == "resnet18.mine"
    assert recipes.load("resnet101(units=[1,1,1,1]).mine.toml", "laptop").model == Network("resnet101", {"units": (1, 1, 1, 1)})
    assert recipes.load("resnet18(dropout=0.5).mine.toml", "laptop").model == Network("resnet18", {"dropout": 0.5})
    with pytest.raises(UsageError, match="mine is no recipe for plain20"):
        recipes.load("plain20.mine.toml", "laptop")


def test_a_file_for_no_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('data = "mnist"\nmean = []\nstd = []\n[networks]\n[budget]\n', encoding="utf-8")
    with pytest.raises(TableError, match=r"mine\.toml: networks names none"):
        recipes.read(file)


def test_what_a_network_needs_otherwise_stands_once_beside_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (recipes.FOLDER / "lecture.toml").read_text(encoding="utf-8")
    needs = '"lecture_*".paper.optimizer.lr = 0.5\nlecture_residual.paper.optimizer = {momentum = 0.1, lr = 0.25}'
    file.write_text(text.replace("lecture_residual = {}", needs), encoding="utf-8")
    how = {name: recipes.read(file).recipe(Network(f"lecture_{name}"), "paper").optimizer for name in ("densenet", "residual")}
    assert how == {"densenet": Sgd("sgd", 0.5, 0.5, False, 0.0), "residual": Sgd("sgd", 0.25, 0.1, False, 0.0)}
    for wrong, message in (
        ("lecture_residuals = {}", "networks.lecture_residuals is no network; did you mean lecture_residual"),
        ("lecture_residual.papr.epochs = 2", "networks.lecture_residual: no budget `papr`; did you mean paper"),
        ("lecture_residual.paper.epoch = 2", "unknown key `epoch`; did you mean epochs"),
        ("lecture_residual = 3", "networks.lecture_residual = 3, expected a table"),
    ):
        file.write_text(text.replace("lecture_residual = {}", wrong), encoding="utf-8")
        with pytest.raises(TableError, match=re.escape(message)):
            recipes.read(file)


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ("model.classes=100", {"classes": 100}),
        ("model.shortcut=none", {"shortcut": None}),
        ("model.units=[2,2,2,2]", {"units": (2, 2, 2, 2)}),
        ("model.gate_bias=-6.5", {"gate_bias": -6.5}),
        ("model.stride_in=3x3", {"stride_in": "3x3"}),
    ],
)
def test_an_option_of_the_network_is_part_of_the_recipe(recipe: Recipe, setting: str, options: dict[str, object], tmp_path: Path) -> None:
    changed = recipes.change(recipe, ("model=resnet50", setting))
    assert changed.model == Network("resnet50", options)
    (tmp_path / "recipe.toml").write_text(recipes.to_toml(changed), encoding="utf-8")
    assert recipes.from_toml(tmp_path / "recipe.toml") == changed
    again, _ = recipes.find(changed.title), recipes.names()
    assert again[1] == changed.model
