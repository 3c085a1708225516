"""docs/architecture.md and the code agree: the same rooms, in that order, and no import upwards."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import etude

HOUSE = Path(etude.__file__).parent
ROOT = HOUSE.parent.parent
PLAN = (HOUSE.parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = re.findall(r"^  (\w+)(?:/|\.py) ", PLAN.split("```")[1], flags=re.MULTILINE)
FILES = [file for file in sorted(HOUSE.rglob("*.py")) if "exercises" not in file.parts]


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "etude":
            yield from (f"etude.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_plan_has_every_room_and_no_other() -> None:
    there = {path.stem for path in HOUSE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(ROOMS) == there - {"__init__", "__main__"}
    assert len(ROOMS) == len(set(ROOMS))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOUSE)))
def test_an_import_goes_down_or_stays(file: Path) -> None:
    if file.parent == HOUSE and file.stem in ("__init__", "__main__"):  # the public names, and the command
        return
    room = file.relative_to(HOUSE).parts[0].removesuffix(".py")
    for name in imports(file):
        assert name != "etude", "the package's root is above all rooms"
        if name.startswith("etude."):
            assert ROOMS.index(name.split(".")[1]) >= ROOMS.index(room), f"{file.name} imports {name}"


@pytest.mark.parametrize(("one", "other"), [("models", "papers"), ("papers", "models"), ("explain", "papers")])
def test_who_does_not_know_whom(one: str, other: str) -> None:
    """Only so a network is not checked against itself, and any module can be explained."""
    for file in (HOUSE / one).glob("*.py"):
        assert not [name for name in imports(file) if name.startswith(f"etude.{other}")], file


def test_every_file_that_the_plan_names_is_there() -> None:
    root = HOUSE.parent.parent
    for name in set(re.findall(r"`((?:\w+/)*\w+\.(?:py|toml|html))`", PLAN)) - {"recipe.toml"}:  # which is a run's
        assert (root / name).exists() or any(any((root / part).rglob(name)) for part in ("src", "tests", "docs")), name


@pytest.mark.parametrize("script", sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")]), ids=lambda path: path.name)
def test_a_script_asks_our_modules_for_what_they_have(script: Path) -> None:
    """They run for minutes or hours and so in no test; this says which name is gone where no type is checked."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("etude"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                if isinstance(found := getattr(module, alias.name), ModuleType):
                    modules[alias.asname or alias.name] = found
    used = [(node.value.id, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    assert [f"{name}.{attribute}" for name, attribute in used if name in modules and not hasattr(modules[name], attribute)] == []
