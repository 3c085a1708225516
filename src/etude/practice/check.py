"""What runs apart: one exercise, one file. Plain values in and out."""

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from etude.errors import EtudeError
from etude.explain.findings import Finding, said
from etude.explain.raised import explained
from etude.practice import blocks, functions, loops
from etude.practice.exercises import Exercise, exercise
from etude.targets.opening import imported
from etude.verification.judge import default_dtype

LOUD = frozenset(said())


def check(name: str, file: str) -> dict[str, Any]:
    """The status and the findings of a learner's file: "pass", "fail", or "error" where it raises."""
    torch.set_num_threads(1)  # everything is small, and others may be computing
    with default_dtype(torch.float64), torch.random.fork_rng(devices=[]):
        found = findings(exercise(name), Path(file))
    status = "pass" if not found else "error" if any(finding.key in LOUD for finding in found) else "fail"
    return {"status": status, "findings": [dataclasses.asdict(finding) for finding in found]}


def findings(task: Exercise, path: Path) -> list[Finding]:
    try:
        with imported(path) as module:
            if missing := [name for name in task.callables if not callable(getattr(module, name, None))]:
                return [Finding("no_callable", {"name": missing[0], "found": ", ".join(own_names(module)) or "–"})]
            given = getattr(module, task.callables[0])
            match task.kind:
                case "module":
                    return blocks.judged(task, given, path)
                case "function":
                    return functions.judged(task, given, path)
                case "training":
                    return loops.judged(task, module, path)
    except EtudeError as error:
        if error.__cause__ is None:
            raise
        return [explained(error.__cause__, path)]


def own_names(module: ModuleType) -> list[str]:
    """The classes and functions that the file defines."""
    return [name for name, value in vars(module).items() if callable(value) and getattr(value, "__module__", "") == module.__name__]
