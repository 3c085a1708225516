"""Figures of the lessons that answer while one moves something: the numbers are those of `etude explain`."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from etude.errors import UsageError
from etude.explain.conv1x1 import WEIGHTS, Way, cost_comparison, worked_example
from etude.models.network import Network
from etude.studio.frame import answer
from etude.views.depth import STARTS
from etude.views.view import command

FIGURES = {"1-conv1x1": ("conv1x1", "cost"), "2-inception": ("receptive",), "3-degradation": ("depth",)}  # of a lesson, behind its code
LOOKED_THROUGH = ("lecture_inception", "lecture_residual", "resnet20", "resnet18", "googlenet")
MAPS = ("conv", "max_pool", "avg_pool", "concat", "add")  # operators after which a unit is shown
LARGEST = 1_000_000
DEPTHS, IMAGES = (8, 20, 32, 56), 16


def conv1x1(request: Request) -> Response:
    """At ?weights=0.5,0.3,0.2 or without: the worked example."""
    given = request.query_params.get("weights")
    weights = [number(text) for text in given.split(",")] if given else WEIGHTS
    options = {"weights": weights} if given else {}
    return answer(dataclasses.asdict(worked_example(weights=weights)) | {"command": command("explain", "conv1x1", options)})


def cost(request: Request) -> Response:
    """At ?in_channels=192&reduce=16…, or with what the slides have: both ways, convolution by convolution."""
    known = {"in_channels", "reduce", "out_channels", "kernel", "height", "width"}
    options = {name: int(number(text)) for name, text in request.query_params.items() if name in known}
    found = cost_comparison(**options)
    ways = {"direct": plain(found.direct), "reduced": plain(found.reduced)}
    return answer({**ways, "ratio": found.ratio, "command": command("explain", "conv1x1", options)})


def plain(way: Way) -> dict[str, Any]:
    return dataclasses.asdict(way) | {"multiplications": way.multiplications, "parameters": way.parameters}


def number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not abs(found) <= LARGEST:  # of no number nothing is
        raise UsageError(f"{text[:40]}: expected a number, at most {LARGEST:,}")
    return found


def receptive(request: Request) -> Response:
    """Of ?network=NAME: after every layer, how much of the image a unit sees, and where the first one's field begins."""
    name = request.query_params.get("network", LOOKED_THROUGH[0])
    if name not in LOOKED_THROUGH:
        raise UsageError(f"{name[:40]}: expected one of {', '.join(LOOKED_THROUGH)}")
    return answer(fields_of(name))


@functools.cache
def fields_of(name: str) -> Mapping[str, Any]:
    from etude.explain.graph import graph
    from etude.explain.receptive import receptive_fields

    network = Network(name)
    found = graph(network.without_weights(), network.input)
    layers = [
        {key: getattr(node, key) for key in ("path", "op", "kernel", "shape")}
        | {key: getattr(field, key) for key in ("size", "jump", "first")}
        for node, field in zip(found.nodes, receptive_fields(found), strict=True)
        if node.op in MAPS and len(node.shape) == 3 and node.index in found.inference
    ]
    return {"image": network.input, "layers": layers, "networks": LOOKED_THROUGH, "command": f"etude explain {name} --receptive-field"}


def depth(request: Request) -> Response:
    """Gradients over depth by initialisation, with and without BN; computed once, which takes seconds."""
    return answer(gradients())


@functools.cache
def gradients() -> Mapping[str, Any]:
    from etude.explain.depth import depth_comparison
    from etude.explain.images import real_images

    found = depth_comparison(DEPTHS, *real_images((3, 32, 32), IMAGES, "strokes"), seeds=[0])
    told = ("network", "depth", "start", "norm")
    cells = [{key: getattr(cell, key) for key in told} | {"gradient": cell.first.mean} for cell in found.cells]
    return {"cells": cells, "starts": STARTS, "command": f"etude explain --depth {','.join(map(str, DEPTHS))} --data strokes"}


routes = [
    Route("/lessons/figures/conv1x1", conv1x1),
    Route("/lessons/figures/cost", cost),
    Route("/lessons/figures/receptive", receptive),
    Route("/lessons/figures/depth", depth),
]
