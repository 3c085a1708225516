"""What runs apart: one exercise, one file. Plain values in and out."""

import ast
import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch

from etude.errors import EtudeError
from etude.explain.findings import Finding, said
from etude.explain.raised import explained
from etude.explain.slips import alike
from etude.practice import blocks, functions, loops
from etude.practice.exercises import Exercise, exercise
from etude.practice.judgement import Judgement
from etude.practice.printed import Printed
from etude.practice.shown import shown
from etude.targets.needed import Part
from etude.targets.opening import imported, part_of
from etude.targets.statement import DEFINITIONS
from etude.targets.surroundings import Unmade
from etude.verification.judge import default_dtype
from etude.verification.prepare import in_its_type

LOUD = frozenset({*said(), "time", "never_ends"})


def check(name: str, file: str, run_all: bool = False, called: str = "") -> dict[str, Any]:
    """The status, the findings and the output of a learner's file: "pass", "fail", or "error" where it raises.

    `first` and `made` are those of the judgement.
    Of a script or a notebook runs what the exercise's classes and functions need; all of it on request.
    called  how the file calls what the exercise asks for, where that is another name
    """
    task, path, printed = exercise(name), Path(file), Printed(sys.stdout)
    names = (called,) if called else task.callables
    with undisturbed(), contextlib.redirect_stdout(printed):
        judgement = findings(task, names, path, run_all)
        found = [*judgement.findings, *shown(judgement.findings, path)]
    return {**dataclasses.asdict(replace(judgement, findings=found)), "status": status(found), "printed": printed.lines()}


def status(found: Sequence[Finding]) -> Literal["pass", "fail", "error"]:
    return "pass" if not found else "error" if any(finding.key in LOUD for finding in found) else "fail"


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Checks run in float64 on one thread, with gradients and without warnings; random numbers and all that are then as they were."""
    threads = torch.get_num_threads()
    cards = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with contextlib.ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(torch.random.fork_rng(devices=cards))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(default_dtype(torch.float64))
        stack.enter_context(in_its_type())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)  # everything is small, and others may be computing
        yield


def findings(task: Exercise, names: tuple[str, ...], path: Path, run_all: bool) -> Judgement:
    try:
        part = part_of(path, *names, run_all=run_all)
        with imported(part) as module:
            for name in names:
                found = getattr(module, name, None)
                if isinstance(found, Unmade):
                    return Judgement([explained(found.error, path)], first=True)
                if not callable(found):
                    return Judgement([not_there(name, part)], first=True)
            return judged(task, {name: getattr(module, name) for name in names}, path)
    except EtudeError as error:
        if error.__cause__ is None:
            raise
        return Judgement([explained(error.__cause__, path)], first=True)


def judged(task: Exercise, given: Mapping[str, Any], path: Path) -> Judgement:
    """What is wrong with what somebody wrote in a file, by the names that it has there."""
    (name, first), *_ = given.items()
    match task.kind:
        case "module":
            return blocks.judged(task, first, path, name)
        case "function":
            return functions.judged(task, first, path, name)
        case "training":
            return loops.judged(task, SimpleNamespace(**dict(zip(task.callables, given.values(), strict=True))), path)


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
