"""A network's options are written in one way wherever a network is named."""

from pathlib import Path

import pytest

from etude.models.network import Network
from etude.targets.target import Target
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.run import Run
from etude.verification.facts import options_of_target
from shell import run

STANDS_ON = {"mean": [], "std": [], "threads": 1, "device": "cpu"}


@pytest.mark.parametrize("command", ["show", "read", "explain"])
def test_brackets_say_what_set_says(capsys: pytest.CaptureFixture[str], command: str) -> None:
    in_brackets = run(capsys, command, "resnet20(depth=8, shortcut=B)")
    assert in_brackets[0] == 0, in_brackets
    assert in_brackets == run(capsys, command, "resnet20", "--set", "depth=8", "--set", "shortcut=B")
    assert "shortcut=B" in in_brackets[1]


def test_a_recipe_with_options_is_told_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, "show", "lecture_densenet(growth_rate=4).lecture")
    assert (code, "--set model.OPTION=VALUE" in error) == (2, True)


def test_a_run_is_held_against_the_network_it_was_trained_as(tmp_path: Path) -> None:
    """Its options, and its classes where those are others than the table's."""
    recipe = recipes.change(recipes.load("lecture_residual.lecture", "smoke"), ("model=resnet20(depth=8)",))
    one = Run(tmp_path / "run")
    one.start(Job(recipe, 0), STANDS_ON | {"classes": ["cat", "dog"]})
    target = Target("run", str(one.folder))
    assert options_of_target(target, Network("resnet20")) == {"classes": 2, "depth": 8}
    assert options_of_target(target, Network("resnet32")) == {}
    assert options_of_target(Target.read("resnet20(depth=8)"), Network("resnet20")) == {}
    other = Run(tmp_path / "other")
    other.start(Job(recipe, 0), STANDS_ON | {"classes": list("0123456789")})
    assert options_of_target(Target("run", str(other.folder)), Network("resnet20")) == {"depth": 8}
