"""Where the operators of a network stand in its paper: in which blocks, at which places, and what is said there. No torch."""

from collections.abc import Iterable, Sequence
from typing import Any

from etude.explain.nodes import Shape
from etude.papers import Architecture, ArchitectureTable, Block, Fact, Paper, Stage
from etude.papers.expand import Expansion, checked
from etude.verification.facts import facts_of
from etude.wording import size

NOT_OF_A_PART = ("recipe", "figure", "result", "cost")  # first words of facts about something else


class Located(Expansion):
    """An expansion that remembers in which blocks every operator stands, each with its path, outermost first."""

    def __init__(self, paper: Paper, shape: Shape, at: str) -> None:
        super().__init__(paper, shape, at)
        self.around: tuple[tuple[Block, str], ...] = ()
        self.within: list[tuple[tuple[Block, str], ...]] = []

    def block(self, block: Block, position: int, path: str, words: Any) -> int:
        outside, self.around = self.around, (*self.around, (block, path))
        end = super().block(block, position, path, words)
        self.around = outside
        return end

    def add(self, path: str, op: str, inputs: tuple[int, ...], shape: Shape, **facts: Any) -> int:
        self.within.append(self.around)
        return super().add(path, op, inputs, shape, **facts)


def located_steps(name: str, **options: Any) -> Located:
    """The expansion of a network's table, its operators in the order of `steps_of`."""
    paper, network = facts_of(name)
    source = source_of_layers(paper, network)
    located = Located(paper, network.input, source.at)
    located.run(source.layers, -1, "", checked(network, options, source.checks))
    return located


def source_of_layers(paper: Paper, network: Architecture) -> ArchitectureTable | Architecture:
    """What holds the layers: a table that several networks share, or the network itself."""
    return paper.tables[network.table] if network.table else network


# ── What the paper says ──────────────────────────────────────────────────────────────────────────────────────────────


def cited(source: Block | ArchitectureTable | Architecture, network: Architecture) -> str:
    """A part of the paper: its place, how sure it is, how it was read, and what it is called in our facts.

    In a network that departs from the paper it is the part that the network departs from.
    """
    sure = f"{network.at} (departs)" if network.kind == "departs" else f"{source.at} ({source.kind}, {source.read})"
    return f"{sure}: {source.id}" + (f"; {source.note}" if source.note else "")


def printed_of(stage: Stage, network: Architecture) -> str:
    """What the paper's table prints of a row: its size, and its cost where the network is the paper's."""
    costs = ((stage.printed_parameters, "parameters"), (stage.printed_macs, "multiply-adds"))
    told = [f"{number:,.0f} {what}" for number, what in costs if number and network.kind != "departs"]
    return f"the table prints {', '.join([size(stage.output), *told])}" + (f": {stage.note}" if told and stage.note else "")


# ── Facts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def facts_beside(parts: Sequence[Block | ArchitectureTable | Architecture], paper: Paper) -> tuple[Fact, ...]:
    """The facts that stand where the paper has these parts of a network, but those named after another part, and the recipe."""
    own = first_words(part.id for part in parts)
    others = first_words([*paper.blocks, *paper.tables]) - own
    there, elsewhere = places(part.at for part in parts), {*others, *NOT_OF_A_PART}
    return tuple(fact for fact in paper.facts.values() if places([fact.at]) & there and fact.id.split("_")[0] not in elsewhere)


def is_left_open_here(fact: Fact, paper: Paper, network: Architecture, located: Located) -> bool:
    """Whether a fact that the paper leaves open or contradicts is about this network.

    It is not where it is named after an operator, a block or a table that the network does without, or where it stands at a place of
    such a block or table. A place that belongs to none of them is about every network of the paper.
    """
    if fact.kind not in ("silent", "contradictory"):
        return False
    own = {block.id: block for around in located.within for block, _ in around}
    others = {id: block for id, block in paper.blocks.items() if id not in own}
    has = {*own, *(step.op for step in located.steps), *first_words([network.table])}
    lacks = {*others, *ops_of(paper), *first_words(paper.tables)} - has
    if any(fact.id.startswith(f"{word}_") for word in lacks):
        return False
    claimed = places([*(block.at for block in others.values()), *(table.at for table in paper.tables.values())])
    used = places([network.at, source_of_layers(paper, network).at, *(block.at for block in own.values())])
    return not places([fact.at]) & (claimed - used)


def first_words(ids: Iterable[str]) -> set[str]:
    return {id.split("_")[0] for id in ids}


def ops_of(paper: Paper) -> set[str]:
    """The operators of all the paper's tables and blocks."""
    layers = [layer for table in paper.tables.values() for layer in table.layers]
    layers += [layer for block in paper.blocks.values() for branch in block.branches for layer in branch.layers]
    return {layer.op for layer in layers}


def places(citations: Iterable[str]) -> set[str]:
    """ "section 3.3, options A and B; Figure 4d" as {"section 3.3", "Fig. 4d"}."""
    parts = (part.strip() for at in citations for part in at.replace("Figure", "Fig.").split(";"))
    return {part.split(",")[0].split(":")[0].split("(")[0].strip() for part in parts}
