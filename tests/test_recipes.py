"""Every recipe complete and true to its paper; wrong settings refused by key."""

import dataclasses
from pathlib import Path

import pytest

from etude import papers
from etude.errors import UsageError
from etude.models import registry
from etude.tables import TableError
from etude.train import recipe as recipes
from etude.train.recipe import OneCycle, Recipe
from etude.verification.facts import facts_of

ALL = [(name, budget) for name in recipes.names() for budget in recipes.read(recipes.find(name)).budget]


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_has_three_budgets_and_a_network(name: str) -> None:
    file = recipes.read(recipes.find(name))
    assert set(file.budget) == {"smoke", "laptop", "paper"}
    assert registry.row(file.model).name == name.partition(".")[0]


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_opens_with_how_to_run_it(name: str) -> None:
    head = recipes.find(name).read_text(encoding="utf-8").split("\n\n")[0]
    for line in (f"# {name}", "# run ", "# cost ", "# expect ", "# departs "):
        assert line in head, f"{name} does not say {line!r}"
    paper, network = facts_of(recipes.read(recipes.find(name)).model)
    assert f"{sum(step.macs for step in papers.expand(paper, network)):,} an image forward" in head
    published = [curve.last.value for curve in paper.curves.values() if curve.network == network.id]
    assert (f"{published[0]:.2f} %" in head) if published else ("gives no accuracy" in head)


@pytest.mark.parametrize(("name", "budget"), ALL)
def test_a_recipe_survives_its_run_folder(name: str, budget: str, tmp_path: Path) -> None:
    recipe = recipes.load(name, budget)
    file = tmp_path / "recipe.toml"
    file.write_text(recipes.to_toml(recipe), encoding="utf-8")
    assert recipes.from_toml(file) == recipe


@pytest.mark.parametrize("name", [name for name in recipes.names() if name.endswith(".lecture")])
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
        return dataclasses.replace(recipes.load(f"{model}.lecture", budget), name="", model="")

    assert how("lecture_residual") == how("lecture_residual_scaled") == how("lecture_residual_conv")


@pytest.fixture
def recipe() -> Recipe:
    return recipes.load("lecture_residual.lecture", "paper")


def test_settings_change_one_value(recipe: Recipe) -> None:
    changed = recipes.change(recipe, ("optimizer.lr=0.05", "epochs=3", "model=lecture_inception", "images=100"))
    assert (changed.optimizer.lr, changed.epochs, changed.model, changed.images) == (0.05, 3, "lecture_inception", 100)
    assert changed.batch == recipe.batch


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epocs=3", "unknown key `epocs`; did you mean epochs"),
        ("optimizer.lrr=3", "unknown key `optimizer.lrr`; did you mean optimizer.lr"),
        ("optimiser.lr=3", "unknown key `optimiser.lr`; did you mean optimizer.lr"),
        ("epochs=three", "epochs = 'three', expected a number"),
        ("epochs=0", "epochs = 0, expected a number above 0"),
        ("epochs=NaN", "epochs = nan, expected a number above 0"),
        ("optimizer.lr=-1", "lr = -1, expected a number above 0"),
        ("optimizer.momentum=1", "momentum = 1, expected 0 ≤ momentum < 1"),
        ('optimizer={"name":"sgd","lr":1,"momentum":0,"nesterov":true,"weight_decay":0}', "nesterov = true with momentum = 0"),
        ("std=[0]", "std = [0.0], expected one of each a channel"),
        ('optimizer={"name":"adamw","lr":1,"betas":[-1,0.9],"weight_decay":0}', "betas = -1, expected 0 ≤ betas < 1"),
        ("shift=-1", "shift = -1, expected a number of pixels"),
        ("label_smoothing=1", "label_smoothing = 1, expected 0 ≤ label_smoothing < 1"),
        ("batch=0", "batch = 0, expected at least 1"),
        ("batch=1.5", "batch = 1.5, expected a whole number"),
        ("optimizer.name=sdg", "optimizer.name = 'sdg', expected one of 'sgd'"),
        ("schedule.kind=one_cycle", "schedule: missing key `warmup`"),
        ('schedule={"kind": "one_cycle", "warmup": 2}', "warmup = 2.0, expected a fraction"),
    ],
)
def test_a_wrong_setting_is_refused_by_key(recipe: Recipe, setting: str, message: str) -> None:
    with pytest.raises(TableError) as caught:
        recipes.change(recipe, (setting,))
    assert message in str(caught.value)


def test_a_setting_without_a_value_is_a_usage_error(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="expected key=value"):
        recipes.change(recipe, ("epochs",))


def test_a_whole_table_may_be_set(recipe: Recipe) -> None:
    changed = recipes.change(recipe, ('schedule={"kind": "one_cycle", "warmup": 0.1}',))
    assert changed.schedule == OneCycle("one_cycle", 0.1)


def test_other_data_brings_its_own_statistics(recipe: Recipe) -> None:
    assert recipe.on("mnist") is recipe
    assert recipe.on("strokes").mean == ()


def test_unknown_recipes_and_budgets_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean lecture_residual\.lecture"):
        recipes.load("lecture_residual.lectur", "paper")
    with pytest.raises(UsageError, match="no budget `papr`; did you mean paper"):
        recipes.load("lecture_residual.lecture", "papr")


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = recipes.find("lecture_residual.lecture").read_text(encoding="utf-8")
    file.write_text(text.replace("epochs = 10", "epochs = 2"), encoding="utf-8")
    assert recipes.load(str(file), "paper").epochs == 2
    file.write_text(text.replace("epochs = 10", "epoch = 2"), encoding="utf-8")
    with pytest.raises(TableError, match=r"mine\.toml: File|mine\.toml.*unknown key `epoch`; did you mean epochs"):
        recipes.load(str(file), "paper")
    with pytest.raises(TableError, match=r"gone\.toml: cannot be read"):
        recipes.load(str(tmp_path / "gone.toml"), "paper")
