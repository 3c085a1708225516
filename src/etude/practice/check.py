"""What runs apart: one exercise, one file. Plain values in and out."""

import ast
import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch

from etude.errors import EtudeError
from etude.explain.findings import Finding, said
from etude.explain.raised import explained
from etude.explain.slips import alike
from etude.practice import blocks, functions, loops
from etude.practice.exercises import Exercise, exercise
from etude.practice.printed import Printed
from etude.practice.shown import shown
from etude.targets.needed import Part
from etude.targets.opening import imported, part_of
from etude.targets.statement import DEFINITIONS
from etude.targets.surroundings import Unmade
from etude.verification.judge import default_dtype

LOUD = frozenset(said())


def check(name: str, file: str, run_all: bool = False) -> dict[str, Any]:
    """The status, the findings and the output of a learner's file: "pass", "fail", or "error" where it raises.

    `made` is the call with which a learner's module was made where that was seen.
    Of a script or a notebook runs what the exercise's classes and functions need; all of it on request.
    """
    torch.set_num_threads(1)  # everything is small, and others may be computing
    printed = Printed(sys.stdout)
    with default_dtype(torch.float64), torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(printed):
        found, made = findings(exercise(name), Path(file), run_all)
        found += shown(found, Path(file))
    status = "pass" if not found else "error" if any(finding.key in LOUD for finding in found) else "fail"
    return {"status": status, "findings": [dataclasses.asdict(finding) for finding in found], "made": made, "printed": printed.lines()}


def findings(task: Exercise, path: Path, run_all: bool = False) -> tuple[list[Finding], str]:
    try:
        part = part_of(path, *task.callables, run_all=run_all)
        with imported(part) as module:
            for name in task.callables:
                found = getattr(module, name, None)
                if isinstance(found, Unmade):
                    return [explained(found.error, path)], ""
                if not callable(found):
                    return [not_there(name, part)], ""
            given = getattr(module, task.callables[0])
            match task.kind:
                case "module":
                    return blocks.judged(task, given, path)
                case "function":
                    return functions.judged(task, given, path), ""
                case "training":
                    return loops.judged(task, module, path), ""
    except EtudeError as error:
        if error.__cause__ is None:
            raise
        return [explained(error.__cause__, path)], ""


def not_there(name: str, part: Part) -> Finding:
    """The file has nothing of that name: what it has instead, and what may be meant, nearly called so or the only one of its kind."""
    defined = {one.node.name: one.node for one in part.everything if isinstance(one.node, DEFINITIONS)}
    alone = [other for other, node in defined.items() if isinstance(node, ast.ClassDef) == name[:1].isupper()]
    meant = alike(name, defined) or (alone[0] if len(alone) == 1 else None)
    if meant:
        return Finding("named_otherwise", {"name": name, "found": meant}, defined[meant].lineno)
    if not defined:
        return Finding("nothing_defined", {"name": name})
    return Finding("no_callable", {"name": name, "found": ", ".join(defined)})
