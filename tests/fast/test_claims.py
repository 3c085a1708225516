"""Claims refer to what their papers publish, and a plan of them is made before anything is trained."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from etude.papers import load as load_paper
from etude.reproduce import claims, cost
from etude.reproduce.claims import Reference, published_value
from etude.reproduce.plan import plan
from etude.tables import TableError, build
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.store import Store
from etude.verification.facts import steps_at
from shell import run


@pytest.mark.parametrize("name", claims.names())
def test_every_claim_refers_to_what_is_there(name: str) -> None:
    for planned in plan(claims.load(name), budget="paper", seeds=1).values:
        if planned.published and planned.published.curve:
            assert planned.published.curve.network == planned.recipe.model.name
        assert planned.published is None or planned.published.runs >= 1


def test_a_claim_needs_a_published_value_or_a_reason() -> None:
    with pytest.raises(TableError, match="expected either `published`, or `unjudged`"):
        build(claims.Claim, {"recipe": "x"}, "claims")
    without = {"recipe": "x", "published": {"curve": "y", "runs": "z"}}
    with pytest.raises(TableError, match="x: a `published` claim needs a `margin`"):
        build(claims.Claims, {"name": "n", "paper": "lecture", "title": "t", "trained": [without]}, "claims")
    with pytest.raises(TableError, match="either `curve` and `runs`, or `table`, `method` and `column`"):
        build(claims.Claim, {"recipe": "x", "published": {"curve": "y", "table": "z"}, "margin": 1.0}, "claims")
    twice = [{"recipe": "x", "unjudged": "y"}, {"recipe": "x", "unjudged": "y"}]
    with pytest.raises(TableError, match="trained names no network"):
        build(claims.Claims, {"name": "n", "paper": "lecture", "title": "t", "trained": []}, "claims")
    with pytest.raises(TableError, match="x stands there twice"):
        build(claims.Claims, {"name": "n", "paper": "lecture", "title": "t", "trained": twice}, "claims")
    with pytest.raises(TableError, match="x is put beside z; known: x"):
        build(claims.Claims, {"name": "n", "paper": "p", "title": "t", "trained": [twice[0] | {"beside": "z"}]}, "claims")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (Reference(table="table_1", method="originl", column="c10_plus"), "table_1: method 'originl' is not there; did you mean original"),
        (Reference(table="table_11", method="original", column="c10_plus"), "table 'table_11' is not there; did you mean table_1"),
        (Reference(table="table_1", method="original", column="c10"), "table_1: column 'c10' is not there"),
        (Reference(curve="accuracy", runs="result_runs"), "curve 'accuracy' is not there"),
    ],
)
def test_a_reference_to_nothing_is_named(reference: Reference, message: str) -> None:
    with pytest.raises(TableError, match=re.escape(message)):
        published_value(load_paper("identity_mappings"), reference)


@pytest.mark.parametrize(("paper", "fact"), [("lecture", "conv_cost_input"), ("lecture", "recipe_mean"), ("densenet", "composite")])
def test_a_number_of_runs_is_a_whole_number(paper: str, fact: str) -> None:
    held = replace(load_paper(paper), curves=load_paper("lecture").curves)
    with pytest.raises(TableError, match=f"{paper}: runs '{fact}' = .*, expected a fact that is a whole number"):
        published_value(held, Reference(curve="lecture_residual_accuracy", runs=fact))


def test_a_plan_lists_every_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("reproduce", "lecture", "--plan", "--seeds", "2", "--runs", str(tmp_path), "--json")
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    rows = json.loads(out)["jobs"]
    assert [(row["recipe"], row["seed"]) for row in rows][:3] == [
        ("lecture_inception.lecture", 0),
        ("lecture_inception.lecture", 1),
        ("lecture_residual.lecture", 0),
    ]
    assert {row["state"] for row in rows} == {"to do"}


def test_a_plan_says_which_data_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    images, mine = tmp_path / "images", tmp_path / "mine.toml"
    images.mkdir()
    (images / "dataset.toml").write_text('reencoded = "cifar10"', encoding="utf-8")
    published = '{ table = "table_6", method = "ResNet-20", column = "c10_plus" }'
    trained = f'[[trained]]\nrecipe = "resnet20.he2015"\npublished = {published}\nmargin = 1.0\nwidest = 0.5\n'
    mine.write_text(f'paper = "resnet"\ntitle = "CIFAR"\nseeds = 5\n{trained}', encoding="utf-8")
    arguments = ("reproduce", str(mine), "--budget", "paper", "--plan", "--json", "--runs", str(tmp_path))
    for data, expected in (((), "cifar10"), (("--data", str(images)), f"{images} (cifar10 in another encoding)")):
        (row,) = json.loads(run(capsys, *arguments, *data)[1])["jobs"]
        assert (row["data"], row["length"]) == (expected, "64,000 steps")
    (planned,) = plan(claims.load(str(mine)), budget="paper", seeds=5, data=str(images)).values
    assert (planned.reencoded, planned.seeds_needed, planned.claim.widest) == (True, 5, 0.5)
    for wrong, message in (("seeds = 2", "seeds = 2, expected at least 3"), ("widest = 0.0", "widest = 0, expected points above 0")):
        key = wrong.split()[0]
        mine.write_text(re.sub(rf"{key} = [\d.]+", wrong, f'paper = "resnet"\ntitle = "CIFAR"\nseeds = 5\n{trained}'), encoding="utf-8")
        with pytest.raises(TableError, match=re.escape(message)):
            claims.load(str(mine))


ORDER = """
[[orders]]
id = "mine"
says = "one trains worse than the other"
at = "here"
worse = "{0}"
better = "{1}"
measured = "test error"
least = 0.0
family = "mine"
"""


def test_orders_alone_are_claimed_of_a_reencoding_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, mine = tmp_path / "images", tmp_path / "mine.toml"
    images.mkdir()
    (images / "dataset.toml").write_text('reencoded = "cifar10"', encoding="utf-8")
    order = ORDER.format("plain20.he2015", "resnet20.he2015")
    mine.write_text(f'paper = "resnet"\ntitle = "Mine"\nseeds = 5\n{order}', encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for folder in (str(images), "~/images"):  # bash leaves the tilde of --data=~/images alone
        (planned,) = plan(claims.load(str(mine)), budget="laptop", seeds=5, data=folder).orders
        assert (planned.reencoded, planned.worse.data) == (True, str(images.resolve()))


def test_an_order_of_networks_without_a_depth(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    order = ORDER.format("lecture_inception.lecture", "lecture_residual.lecture")
    mine.write_text(f'paper = "lecture"\ntitle = "Mine"\nseeds = 5\n{order}', encoding="utf-8")
    (planned,) = plan(claims.load(str(mine)), budget="laptop", seeds=5).orders
    assert planned.at == f"at {planned.worse.length}"


@pytest.mark.parametrize("change", ["model.norm=none", "no test", "diverged", "side"])
def test_an_odd_run_that_is_there_does_not_disturb_a_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path, change: str) -> None:
    """A network that the paper's table does not know, lost metrics, a run that diverged at once; smaller images are counted as that."""
    model = {"model.norm=none": "resnet20(norm=none)", "side": "resnet18"}.get(change, "resnet20")
    recipe = recipes.load(f"{model}.he2015" if model != "resnet18" else "resnet18.scratch", "laptop")
    there = Store(tmp_path).new(Job(recipe, 0))
    there.start(Job(recipe, 0), {"classes": [], "mean": [], "std": [], "threads": 1, "device": "cpu"})
    if change != "no test":
        there.append({"epoch": 1.0, "step": 100, "test_accuracy": 0.5, "test_images": 10_000})
    diverged = {"diverged": 0} if change == "diverged" else {}
    there.finish({"test_accuracy": 0.5, "test_images": 10_000, "seconds": 50.0, "warning": "", **diverged})
    rate = 100 * recipe.batch * sum(step.macs for step in steps_at("resnet18", (3, 128, 128), {})) / 50
    assert cost.rates(Store(tmp_path)) == pytest.approx({"resnet": rate} if change == "side" else {})
    assert run(capsys, "reproduce", "resnet", "--plan", "--runs", str(tmp_path))[0] == 0


def test_a_plan_tells_the_time_by_the_runs_that_are_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    job = Job(recipes.change(recipes.load("resnet20.he2015", "laptop"), ("epochs=1",)), 0)
    there = Store(tmp_path).new(job)
    there.start(job, {"classes": [], "mean": [], "std": [], "threads": 1, "device": "cpu"})
    there.append({"epoch": 1.0, "step": 391, "test_accuracy": 0.5, "test_images": 10_000})
    there.finish({"test_accuracy": 0.5, "test_images": 10_000, "seconds": 50.0, "warning": ""})
    rate = 391 * 128 * 40_551_040 / 50
    assert cost.rates(Store(tmp_path)) == pytest.approx({"resnet": rate})
    arguments = ("reproduce", "--plan", "--seeds", "2", "--runs", str(tmp_path))
    found = json.loads(run(capsys, *arguments, "resnet", "--json")[1])
    assert [order["id"] for order in found["orders"]] == ["plain_degrades", "residual_does_not", "residual_beats_plain"]
    rows = {(row["recipe"], row["seed"]): row for row in found["jobs"]}
    assert len(rows) == len(found["jobs"]) == 8
    assert rows["plain56.he2015", 0]["multiply_adds"] == 125_485_696
    assert rows["plain56.he2015", 0]["seconds"] == pytest.approx(50_000 * 125_485_696 / rate)
    assert [rows["resnet20.he2015", seed]["state"] for seed in (0, 1)] == ["finished", "to do"]
    dense = json.loads(run(capsys, *arguments, "densenet", "--only", "bc_*", "--json")[1])["jobs"]
    times = {row["recipe"]: row["seconds"] for row in dense}
    assert times.pop("resnet110.he2015") == pytest.approx(12_500 * 252_887_680 / rate)
    assert times == {"densenet_40_12.huang2017": None, "densenet_bc_100_12.huang2017": None}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (('id = "residual_does_not"', 'id = "plain_degrades"'), "orders: plain_degrades stands there twice"),
        (("least = 1.0", "least = -1.0"), "least = -1, expected points, 0 for any difference"),
        (
            ('by_less_than = "plain_degrades"', 'by_less_than = "plain_degrade"'),
            "by_less_than = 'plain_degrade'; did you mean plain_degrades",
        ),
        (("seeds = 5", "seeds = 4"), "seeds = 4, expected at least 5 where orders are claimed"),
        (('table = "table_6"', 'table = "table_66"'), "table 'table_66' is not there; did you mean table_6"),
        (("c10_plus = 0.5", "c10 = 0.5"), "table_6: column 'c10' is not there"),
        (('["epochs=1"]', '["fitted=none"]'), "plain_degrades: plain56.he2015 at laptop tests no training images"),
        (('["epochs=1"]', '["epoch=1"]'), "--set epoch: unknown key `epoch`; did you mean epochs"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path: Path, changed: tuple[str, str], message: str) -> None:
    mine = tmp_path / "mine.toml"
    text = (claims.FOLDER / "resnet.toml").read_text(encoding="utf-8")
    assert changed[0] in text
    mine.write_text(text.replace(*changed), encoding="utf-8")
    with pytest.raises(TableError, match=re.escape(message)):
        plan(claims.load(str(mine)), budget="laptop", seeds=1)
