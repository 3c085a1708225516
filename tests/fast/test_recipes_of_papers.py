"""The paper budget of he2015, he2016 and huang2017 is the text: every number is held to the facts of the paper."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from etude import papers
from etude.data import catalog, colour
from etude.models import registry
from etude.models.network import Network
from etude.reproduce import claims
from etude.reproduce.claims import Reference
from etude.reproduce.plan import Planned, plan
from etude.train import recipe as recipes
from etude.train.recipe import Recipe, Sgd, Steps, WarmUp

BY = {"resnet": "he2015", "identity_mappings": "he2016", "densenet": "huang2017"}
COLUMNS = {"c10": "_c10", "c10_plus": "", "c100": "_c100", "c100_plus": "_c100_plus", "svhn": "_svhn"}


def paper_recipes(*names: str) -> Iterator[Recipe]:
    """Every network by these recipes."""
    for name in names:
        file = recipes.read(recipes.FOLDER / f"{name}.toml")
        yield from (file.recipe(Network(model), "paper") for model in file.models)


def held(paper: str, *names: str) -> dict[str, Any]:
    return {name: papers.load(paper).fact(f"recipe_cifar_{name}").held for name in names}


@pytest.mark.parametrize(
    ("paper", "name"), [("resnet", "he2015"), ("identity_mappings", "he2016"), ("identity_mappings", "he2016_c100_plus")]
)
def test_the_residual_networks(paper: str, name: str) -> None:
    fact = held(paper, "learning_rate", "learning_rate_divisor", "learning_rate_steps", "iterations", "batch", "weight_decay", "momentum")
    first = held("resnet", "padding", "crop", "flip", "preprocessing", "dropout")  # "as in the ResNet paper", where the second is silent
    for recipe in paper_recipes(name):
        assert (recipe.steps, recipe.batch) == (fact["iterations"], fact["batch"])
        assert recipe.optimizer == Sgd("sgd", fact["learning_rate"], fact["momentum"], False, fact["weight_decay"])
        at = tuple(map(float, fact["learning_rate_steps"]))
        assert recipe.schedule == Steps("steps", at, fact["iterations"], fact["learning_rate_divisor"])
        assert (recipe.shift, recipe.model.input[1:]) == (first["padding"], (first["crop"],) * 2)
        assert (recipe.flip, first["flip"]) == (True, "random horizontal flip")
        assert (recipe.mean, recipe.std, first["preprocessing"]) == ("per pixel", (1, 1, 1), "per-pixel mean subtracted")
        assert (recipe.model.options, first["dropout"]) == ({}, "none")
        assert (recipe.images, recipe.validation, recipe.result, recipe.label_smoothing) == (None, None, "last", 0)
        assert recipe.fitted is None
        assert recipe.data == ("cifar100" if "c100" in name else "cifar10")


@pytest.mark.parametrize("paper", BY)
def test_the_networks_of_imagenet(paper: str) -> None:
    """What the later papers do not say is as in the first."""
    first, own = ({fact.id: fact.held for fact in papers.load(name).facts.values()} for name in ("resnet", paper))
    fact = {key.removeprefix("recipe_imagenet_"): value for key, value in {**first, **own}.items() if key.startswith("recipe_imagenet_")}
    dense = paper == "densenet"
    crop = (fact["test_side"], fact["test_crop"]) if paper == "identity_mappings" else tuple(fact["test_crop"])
    for recipe in paper_recipes(f"{BY[paper]}_imagenet"):
        assert recipe.views and (recipe.views.test, recipe.image[1]) == (crop, fact["crop"])
        assert recipe.optimizer == Sgd("sgd", fact["learning_rate"], fact["momentum"], dense, fact["weight_decay"])
        length = fact["iterations"] if paper == "resnet" else fact["epochs"]
        assert (recipe.steps or recipe.epochs, recipe.batch) == (length, fact["batch"])
        at = tuple(map(float, fact["learning_rate_steps"]))
        assert recipe.schedule == Steps("steps", at, length, fact["learning_rate_divisor"])
        assert (recipe.flip, fact["flip"]) == (True, "random horizontal flip")
        assert (recipe.warm_up, fact["warm_up"], recipe.label_smoothing) == (None, "none", 0)
        assert (recipe.model.options, fact["dropout"], recipe.images, recipe.validation) == ({}, "none", None, None)
        if dense:  # of "the same as in fb.resnet.torch and in the ResNet papers", the first, whose parts are GoogLeNet's
            google = papers.load("googlenet").fact
            assert tuple(100 * share for share in recipe.views.area or ()) == google("recipe_imagenet_crop_area").held
            assert google("recipe_imagenet_crop_aspect").held == "3/4 to 4/3"
            assert recipe.views.aspect == pytest.approx((3 / 4, 4 / 3), abs=1e-4)
            assert (recipe.views.colour, colour.JITTER) == ("fb.resnet.torch", fact["colour_jitter"])
        else:
            assert (recipe.views.scale, recipe.views.colour) == (tuple(fact["scale"]), "AlexNet")
            assert fact["colour"] == "AlexNet's colour augmentation"
        assert fact["colour_deviation"] == colour.LIGHTING
        per_pixel = ("per pixel", (1, 1, 1)) if paper == "resnet" else ((), ())  # a mean image has one size, the papers' crops two
        assert ((recipe.mean, recipe.std), first["recipe_imagenet_preprocessing"]) == (per_pixel, "per-pixel mean subtracted")


def test_every_network_with_errors_on_imagenet_has_a_recipe() -> None:
    for paper, recipe in BY.items():
        known = recipes.read(recipes.FOLDER / f"{recipe}_imagenet.toml").models
        tables = (table for table in papers.load(paper).results.values() if table.id.startswith("table"))
        found = [registry.row(row.network) for table in tables for row in table.rows if row.network]
        assert {row.name for row in found if (row.input, row.paper) == (registry.IMAGENET, paper)} <= {*known}


def test_who_warms_up_and_until_when() -> None:
    first = held("resnet", "warm_up_learning_rate", "warm_up_until")
    until = WarmUp(first["warm_up_learning_rate"], until_error=first["warm_up_until"] / 100)
    warm = {recipe.model.name: recipe.warm_up for recipe in paper_recipes("he2015") if recipe.warm_up}
    assert warm == {"resnet110": until, "resnet1202": until}  # the second is trained "as described above"
    second = held("identity_mappings", "warm_up_learning_rate", "warm_up_iterations")
    for recipe in paper_recipes("he2016", "he2016_c100_plus"):
        assert recipe.warm_up == WarmUp(second["warm_up_learning_rate"], second["warm_up_iterations"])


@pytest.mark.parametrize("column", COLUMNS)
def test_the_dense_networks(column: str) -> None:
    fact = held("densenet", "learning_rate", "learning_rate_divisor", "learning_rate_steps", "epochs", "batch", "weight_decay", "momentum")
    fact |= held("densenet", "dropout", "preprocessing", "images", "augmentation", "reporting")
    svhn = {name: papers.load("densenet").fact(f"recipe_svhn_{name}").held for name in ("epochs", "batch", "preprocessing", "validation")}
    assert "Nesterov" in papers.load("densenet").fact("recipe_cifar_momentum").note
    plus = column.endswith("plus")
    for recipe in paper_recipes(f"huang2017{COLUMNS[column]}"):
        assert recipe.optimizer == Sgd("sgd", fact["learning_rate"], fact["momentum"], True, fact["weight_decay"])
        at = tuple(map(float, fact["learning_rate_steps"]))
        assert recipe.schedule == Steps("steps", at, 100, fact["learning_rate_divisor"])
        assert (recipe.shift, recipe.flip) == ((4, True) if plus else (0, False))
        assert recipe.model.options == ({} if plus else {"dropout": fact["dropout"]})
        assert (recipe.warm_up, recipe.images, recipe.label_smoothing) == (None, None, 0)
        if column == "svhn":
            assert (recipe.epochs, recipe.batch, recipe.validation) == (svhn["epochs"], svhn["batch"], svhn["validation"])
            assert (recipe.mean, recipe.std, svhn["preprocessing"]) == ((0, 0, 0), (1, 1, 1), "divided by 255, nothing else")
            assert recipe.data == "svhn" and recipe.result == "lowest validation error"
        else:
            assert (recipe.data, recipe.epochs, recipe.batch) == (column.split("_")[0].replace("c", "cifar"), fact["epochs"], fact["batch"])
            assert (recipe.mean, recipe.std) == ((), ())
            assert (recipe.validation, catalog.row(recipe.data).train) == (None, fact["images"])
            assert (recipe.result, fact["reporting"]) == ("last", "test error of the last epoch")


def rows() -> Iterator[Planned]:
    """Every published error of one of our networks on CIFAR or SVHN, as the claims of the three papers have it."""
    for paper in BY:
        yield from plan(claims.load(paper), budget="paper", seeds=1).values


def test_every_published_row_is_claimed_by_the_recipe_of_its_column() -> None:
    """And of every column no other recipe than the one that is held to the facts above; batch 64 is one row's own."""
    found = {(one.recipe.title, one.claim.published) for one in rows()}
    expected = set()
    for paper in map(papers.load, BY):
        for table in paper.results.values():
            for row in (row for row in table.rows if row.network and "@" not in row.network):
                if registry.row(row.network).input == registry.CIFAR:
                    own = BY[registry.row(row.network).paper]  # a table may quote a network of another paper
                    for column in (column for column in row.values if column != "training"):
                        recipe = own + ("_batch64" if "batch 64" in row.method else COLUMNS[column])
                        network = Network(row.network, row.given)
                        expected.add((f"{network}.{recipe}", Reference(table=table.id, method=row.method, column=column)))
    assert found == expected
    assert len(expected) == 87
    for one in rows():
        assert len(catalog.row(one.recipe.data).classes) == one.recipe.model.options.get("classes", 10)
        assert one.published and (one.published.statistic != "best" or one.published.printed is None)


def test_the_batch_of_one_row_is_another_and_nothing_else() -> None:
    small, usual = (next(paper_recipes(name)) for name in ("he2016_batch64", "he2016"))
    assert "one row of Table 4 has 64" in papers.load("identity_mappings").fact("recipe_cifar_batch").note
    assert dataclasses.replace(small, batch=usual.batch, name=usual.name) == usual
    assert small.batch == 64


def test_the_network_of_every_row_builds() -> None:
    """Those with options; what differs from a registered one by its number of classes alone is built in tests/networks."""
    models = {Network(one.recipe.model.name, {**one.recipe.model.options, "classes": 100}) for one in rows()}
    with_options = [network for network in models if set(network.options) - {"classes"}]
    assert len(with_options) > 20
    for network in with_options:
        network.without_weights()


def test_the_rate_falls_in_steps_and_nowhere_else() -> None:
    schedule = next(paper_recipes("he2015")).schedule
    shares = {step: schedule.share(step / 64_000) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)}
    assert shares == pytest.approx({0: 1, 31_999: 1, 32_000: 0.1, 47_999: 0.1, 48_000: 0.01, 63_999: 0.01})
    dense = next(paper_recipes("huang2017")).schedule
    steps = 300 * 782
    assert [dense.share(step / steps) for step in (steps // 2 - 1, steps // 2, steps * 3 // 4)] == pytest.approx([1, 0.1, 0.01])
