"""What a module does otherwise than the paper's table, all of it, in words."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from etude.explain.outline import label
from etude.operator import Operator
from etude.papers import Step
from etude.verification.align import Alignment
from etude.verification.diagnose import name
from etude.verification.followed import unfollowed
from etude.verification.grouping import Grouping
from etude.verification.names import Names, noun_of
from etude.verification.repair import JOINS, Edit, Repair, State, differing, is_of_other_size, kernels, longest_way
from etude.verification.trace import Event, Trace, same_numbers

MOST_NAMES = 3  # places, and departures, that a sentence names one by one
UNLIKE = "{who}{yours} [gives|give] other numbers than such a layer makes of the same"
PLURAL = "the zero channels"  # are several also at one place
BORDERS = {"zeros": "zeros", "reflect": "reflected pixels", "replicate": "the nearest pixels", "circular": "the other side's pixels"}
ORDINALS = ("first", "second", "third", "fourth")
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


@dataclass(frozen=True)
class Departure:
    """One difference.

    place     in the paper's names
    sentence  what is there, what the paper says and where
    line      of the module's source, "FILE:NUMBER"
    yours     in the module's names: what it has there, or else the last that is as in the table
    """

    place: str
    sentence: str
    line: str = ""
    yours: str = ""


@dataclass(frozen=True)
class Departures:
    """Everything in which a module departs from the table, in order; what is alike at several places as one.

    sentence  the sum of it, in one line
    agreed    how many operators of the table are there
    more      how many stand among them that the table has not
    hidden    where the table's weights could be and not be seen, so that none of this is certain
    """

    each: tuple[Departure, ...]
    sentence: str
    agreed: int
    more: int
    hidden: str = ""


def departures(steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module, whose: str) -> Departures:
    """Every place where the module does something else than the table; `whose` the table is: "the paper".

    trace  of a run whose numbers were kept
    """
    repair = Repair(steps, trace, module)
    state = repair.run(found)
    return replace(Words(repair, state, whose).departures(), hidden=unfollowed(repair, state))


class Words:
    """Edits in words."""

    def __init__(self, repair: Repair, state: State, whose: str) -> None:
        self.repair, self.state, self.whose = repair, state, whose
        self.steps, self.events, self.blocks = repair.steps, repair.trace.events, repair.blocks
        self.names = Names(repair.steps, repair.blocks)

    def departures(self) -> Departures:
        edits, end = list(Grouping(self.repair, self.state, self.names).edits()), len(self.state.values)
        first = [(alike[0], self.sentence(alike)) for alike in self.folded(edits)]
        told = [(self.place(edit), said, self.steps[edit.steps[0]].at, self.there(edit)) for edit, said in first]
        if end < len(self.steps):
            told.append((self.names.layer(end), f"from {self.names.name(end)} on the table cannot be followed", self.steps[end].at, None))
        behind = list(self.behind_the_ends())
        for i, chain in behind:
            said = f"{name(chain[0])} follows {self.names.name(i)}, where {self.whose}'s network ends"
            told.append((self.names.layer(i), said, self.steps[i].at, chain[0]))
        each = tuple(
            Departure(place, f"{sentence} ({at})", event.line if event else "", event.path if event else "")
            for place, sentence, at, event in told
        )
        extra = sum(len(edit.events) for edit in edits if "extra" in edit.kind) + sum(len(chain) for _, chain in behind)
        changed = {i for edit in edits if "extra" not in edit.kind for i in edit.steps[: 1 if edit.kind == "shared" else None]}
        agreed = end - len(changed)
        count = f"departs in {len(self.steps) - agreed + extra:,} of {len(self.steps):,} operators"
        if len(each) == 1:
            what = each[0].sentence
        elif len(each) <= MOST_NAMES:
            what = "; ".join(sentence for _, sentence, *_ in told)
        else:
            what = f"{told[0][1]}; and {len(each) - 1} more kinds"
        return Departures(each, f"{count}: {what}; {self.rest(agreed)}", agreed, extra)

    def behind_the_ends(self) -> Iterator[tuple[int, list[Event]]]:
        """What the module does with what the table ends with, where it does not return that."""
        missing = {i for edit in self.state.edits if "missing" in edit.kind for i in edit.steps}
        for end in [one for one in self.repair.ends() if one not in missing]:
            places = self.state.at(end)
            if places and not any(self.repair.trace.returns(self.repair.trace.kept[place]) for place in places if place >= 0):
                chain, reached, kept = list[Event](), set(places), self.repair.trace.kept
                for event in self.events:
                    before = next((place for place in event.inputs if place in reached), None)
                    if before is not None:
                        reached.add(event.index)
                        if not same_numbers(kept[event.index], kept[before]):  # which a view has
                            chain.append(event)
                if chain:
                    yield end, chain

    def rest(self, agreed: int) -> str:
        """What agrees: the stages in which nothing departs, where there are any."""
        if len(self.state.values) < len(self.steps):
            return f"{agreed:,} operators in front of that are as in {self.whose}, and nothing behind it was compared"
        if agreed < len(self.steps) / 2:
            return f"it is another network, {agreed:,} operators are as in {self.whose}"
        tops = [self.names.stage(index) for index in range(len(self.steps))]
        touched = {self.place(edit).split(".")[0] for edit in self.state.edits} | set(tops[len(self.state.values) :])
        touched |= {tops[i] for edit in self.state.edits if "extra" not in edit.kind for i in edit.steps}
        rows: list[list[str]] = [[]]
        for top in dict.fromkeys(tops):
            if top in touched:
                rows.append([])
            else:
                rows[-1].append(top)
        clean = [row[0] if len(row) == 1 else f"{row[0]} to {row[-1]}" for row in rows if row]
        if not clean or len(clean) > MOST_NAMES:
            return f"the other {agreed:,} operators are as in {self.whose}"
        if len(clean) == 1 and " to " in clean[0]:
            return f"everything from {clean[0]} is as in {self.whose}"
        return f"{listed(clean)} {'is' if len(clean) == 1 else 'are'} as in {self.whose}"

    # ── What is told together ────────────────────────────────────────────────────────────────────────────────────────

    def folded(self, edits: list[Edit]) -> Iterator[list[Edit]]:
        """Those of which the same is said, numbers of maps aside, in the order of their first places."""
        alike: dict[tuple[str, str], list[Edit]] = {}
        for edit in edits:
            alike.setdefault((self.steps[edit.steps[-1]].op, self.said(edit, numbers=False)), []).append(edit)
        yield from alike.values()

    def sentence(self, edits: list[Edit]) -> str:
        if len(edits) > 1 and all(self.only_maps(edit) for edit in edits):
            return self.other_maps(edits)
        exact = {self.said(edit) for edit in edits}
        said = exact.pop() if len(exact) == 1 else self.said(edits[0], numbers=False)
        names = [self.subject(edit) for edit in edits]
        who = listed(names) if len(names) <= MOST_NAMES else f"{names[0]} … {names[-1]} ({len(names)} places)"
        own = self.own(edits[0]) if len(edits) == 1 else ""
        many = len(edits) > 1 or (names[0].startswith(PLURAL) and edits[0].kind != "extra")
        said = re.sub(r"\[(\w*)\|(\w+)\]", r"\2" if many else r"\1", said)
        return said.format(who=who, yours=f" (your {own})" if own else "")

    def only_maps(self, edit: Edit) -> bool:
        """Whether an operator is as in the table but for how many maps it gives."""
        return edit.kind == "other" and list(differing(self.steps[edit.steps[0]], self.events[edit.events[0]])) == ["maps"]

    def other_maps(self, edits: Sequence[Edit]) -> str:
        """Other numbers of maps at several places: of a few all, of many the first, and whether the others have more or fewer."""
        pairs = [(self.steps[edit.steps[0]], self.events[edit.events[0]]) for edit in edits]
        have = [(self.names.name(step.index), event.shape[0], step.shape[0]) for step, event in pairs]
        (first, maps, wanted), others = have[0], have[1:]
        if len({(a, b) for _, a, b in have}) == 1:
            who = listed([name_ for name_, *_ in have]) if len(have) <= MOST_NAMES else f"{first} … {have[-1][0]} ({len(have)} places)"
            return f"{who} have {maps} maps where {self.whose} has {wanted}"
        if len(have) <= MOST_NAMES:
            return f"{first} has {maps} maps where {self.whose} has {wanted}, " + listed([f"{who} {a} and not {b}" for who, a, b in others])
        more = {a > b for _, a, b in others}
        how = "other numbers of maps" if len(more) > 1 else "more maps" if True in more else "fewer maps"
        rest = f"{others[0][0]} … {others[-1][0]} ({len(others)} places)"
        return f"{first} has {maps} maps where {self.whose} has {wanted}; {rest} have {how} too"

    def own(self, edit: Edit) -> str:
        """Where it stands in the module's own names."""
        path = self.events[edit.events[0]].path if edit.events else ""
        return path.rpartition(".")[0] if edit.kind == "block shared" else path

    def there(self, edit: Edit) -> Event | None:
        """What the module has there, or else the last that is as in the table."""
        before = self.state.seen(self.steps[edit.steps[0]].inputs[0]) if len(self.state.places) > edit.steps[0] else ()
        return next((self.events[i] for i in (*edit.events, *before) if i >= 0), None)

    # ── One edit ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def subject(self, edit: Edit) -> str:
        """What an edit is about, in the paper's names."""
        first = edit.steps[0]
        match edit.kind:
            case "block missing" | "block other":
                return self.names.block(edit.steps)
            case "block shared":
                return self.names.unit_of(first)
            case "block extra" if self.repeats(edit):
                return self.names.unit_before(first)
            case "branch missing" | "branch other":
                return self.names.layer(self.join_behind(edit.steps))
            case "missing" if self.steps[first].op == "add":
                return self.names.layer(first)
            case "other" if self.events[edit.events[0]].op == "add" and self.is_shortcut(self.steps[first], self.events[edit.events[0]]):
                return self.names.layer(first)
            case "swapped":
                return f"{self.names.name(first)} and {self.names.name(edit.steps[1])}"
        return self.names.name(first)

    def place(self, edit: Edit) -> str:
        """Where an edit begins: a block, a layer, or the layer behind which it stands."""
        if edit.kind.startswith("block"):
            return self.subject(edit) if edit.kind != "block extra" or self.repeats(edit) else self.names.layer(edit.steps[0])
        return self.names.layer(edit.steps[0])

    def said(self, edit: Edit, *, numbers: bool = True) -> str:
        """What is said of an edit, with {who} for its subject, {yours} for the module's own name, and verbs for one or several."""
        step, events = self.steps[edit.steps[0]], [self.events[i] for i in edit.events]
        here, there = words(events, numbers), words([self.steps[i] for i in edit.steps], numbers)
        paper = f"where {self.whose} has"
        match edit.kind:
            case "other" if events[0].op == step.op and (facts := list(differences(step, events[0], numbers))):
                have, want = (", ".join(filter(None, side)) for side in zip(*facts, strict=True))
                return f"{{who}}{{yours}} [has|have] {have} " + (f"{paper} {want}" if want else f"than in {self.whose}")
            case "other" if events[0].op == step.op:
                return self.with_the_same_facts(step, events[0])
            case "fed":
                here, there = self.inputs_apart(step, events[0])
                return f"{{who}}{{yours}} [is|are] fed by {here} where {self.whose} feeds it {there}" if here != there else UNLIKE
            case "other":
                return f"in place of {{who}} stands {here}{{yours}}"
            case "missing" if step.op == "add":
                return "the shortcut and its addition in {who} are missing"
            case "missing":
                return "{who} [is|are] missing"
            case "extra":
                return f"{here}{{yours}} [stands|stand] in front of {{who}}, {self.whose} has nothing there"
            case "swapped":
                return "{who}{yours} stand in the other order"
            case "shared":
                first = self.names.name(edit.steps[1])
                return f"{{who}}{{yours}} shares the weights of {first}, which are used again, {paper} a layer of its own"
            case "block shared":
                earlier = next(one.steps[1] for one in self.state.edits if one.kind == "shared" and one.steps[0] == edit.steps[0])
                unit = self.names.unit_of(earlier)
                return f"{{who}}{{yours}} [shares|share] the weights of {unit}, which are used again, {paper} a unit of its own"
            case "branch missing":
                add = self.steps[edit.steps[-1]].op == "add"
                return "the shortcut and its addition in {who} are missing" if add else f"the branch {there} of {{who}} is missing"
            case "branch other" if sum(self.steps[i].op == "conv" for i in edit.steps) == 1 or step.op in ("slice", "pad"):
                here = (here or "an identity") + self.elsewhere(edit)
                return f"the {self.branch(edit)}[|s] in {{who}}{{yours}} [is|are] {here} {paper} {there}" if here != there else UNLIKE
            case "block missing":
                unit = self.names.block(edit.steps)
                count, stage = self.names.units(unit)
                more = f", {self.whose} has {count} in {stage}" if numbers else ""
                return f"the unit[|s] {{who}} [is|are] missing{more}" if count else "{who} [is|are] missing"
            case "block extra" if times := self.repeats(edit):
                count, stage = self.names.units(self.names.unit_before(edit.steps[0]))
                more = f", {self.whose} has {count} in {stage}" if numbers else ""
                units = "one unit too many stands" if times == 1 else f"{times} units too many stand"
                return f"{units} behind {{who}}{{yours}}{more}"
            case "block extra":
                return f"{here}{{yours}} stand in front of {{who}}, {self.whose} has nothing there"
            case _:
                have, want = self.convolutions(events), self.convolutions([self.steps[i] for i in edit.steps])
                if have == want or "one" in (have[:3], want[:3]):
                    return self.another_block(edit, numbers)
                return f"{{who}}{{yours}} [has|have] {have} {paper} {want}"

    def another_block(self, edit: Edit, numbers: bool) -> str:
        """In what a block is another one: of two lists of operators what is not in both, or else which operator is fed otherwise."""
        here = [words([self.events[i]], numbers) for i in edit.events]
        there = [words([self.steps[i]], numbers) for i in edit.steps]
        tail = alike(here[::-1], there[::-1])
        head = min(alike(here, there), min(len(here), len(there)) - tail)
        have, want = (", ".join(row[head : len(row) - tail]) for row in (here, there))
        behind = f"behind {here[head - 1]}" if head else "at the beginning"
        if have and want:
            return f"{{who}}{{yours}} [has|have] {have} where {self.whose} has {want}"
        if have:
            return f"{{who}}{{yours}} [has|have] {have} {behind}, where {self.whose} has nothing"
        if want:
            return f"{{who}}{{yours}} [lacks|lack] {want} {behind}"
        if words([self.events[i] for i in edit.events], True) != words([self.steps[i] for i in edit.steps], True):
            return f"{{who}}{{yours}} [has|have] other numbers of maps than in {self.whose}"
        return self.fed_otherwise(edit)

    def fed_otherwise(self, edit: Edit) -> str:
        """Which operator of a block with the table's operators works on something else."""
        within = dict(zip(edit.events, edit.steps, strict=True))
        for place, index in within.items():
            step, event = self.steps[index], self.events[place]
            given = [within.get(before, next((i for i in step.inputs if before in self.state.at(i)), None)) for before in event.inputs]
            here = [self.within(edit, i) for i in given if i is not None and i not in step.inputs]
            there = [self.within(edit, i) for i in step.inputs if i not in given]
            if here and there and here != there:
                if step.op == "add" and len(there) == 1:
                    return f"the shortcut[|s] of {{who}}{{yours}} [begins|begin] at {listed(here)}, in {self.whose} at {listed(there)}"
                return f"{self.within(edit, index)} of {{who}}{{yours}} is of {listed(here)} where {self.whose}'s is of {listed(there)}"
        return UNLIKE

    def within(self, edit: Edit, index: int) -> str:
        """An operator as a block calls it: its input, conv1, the second ReLU."""
        if index < edit.steps[0]:
            return "the input"
        if self.names.named(index):
            return self.steps[index].path.rpartition(".")[2]
        alike = [i for i in edit.steps if self.steps[i].op == self.steps[index].op]
        which = f"{ORDINALS[alike.index(index)]} " if 1 < len(alike) <= len(ORDINALS) else ""
        return f"the {which}{noun_of(self.steps[index])}"

    def named_or_image(self, index: int) -> str:
        return self.names.name(index) if index >= 0 else "the image"

    def with_the_same_facts(self, step: Step, event: Event) -> str:
        """What is said of an operator that is as in the table, and gives something else."""
        here, there = self.inputs_apart(step, event)
        if step.op in ("conv", "linear", "batch_norm") and not any(isinstance(operand, nn.Parameter) for operand in event.operands):
            return f"the weights of {{who}}{{yours}} are no parameters of the module, {self.whose} has it learn them"
        if step.op == "batch_norm" and event.operands:
            for what, operand in zip(("scale", "shift"), event.operands, strict=False):
                if not isinstance(operand, nn.Parameter):
                    return f"the {what} of {{who}}{{yours}} is no parameter of the module, {self.whose} has it learned"
        if step.op == "batch_norm" and not event.active and len(event.operands) > 2 and event.operands[2] is not None:
            return f"{{who}}{{yours}} [takes|take] the running statistics in training mode too, where {self.whose} takes those of the batch"
        if step.op == "dropout" and event.name != "dropout":
            return f"in place of {{who}} stands {event.name}{{yours}}"
        if step.op == "linear" and is_of_other_size(step, event) and event.operands[0] is not None:
            have, want = (count // step.shape[0] for count in (event.operands[0].numel(), step.parameters - step.bias * step.shape[0]))
            return f"{{who}}{{yours}} [works|work] on {have:,} features where {self.whose}'s has {want:,}"
        if here == there:
            return UNLIKE
        if self.is_shortcut(step, event):
            return f"the shortcut of {{who}}{{yours}} [begins|begin] at {here}, in {self.whose} at {there}"
        return f"{{who}}{{yours}} [is|are] of {here} where {self.whose}'s [is|are] of {there}"

    def is_shortcut(self, step: Step, event: Event) -> bool:
        """Whether of an addition only the side differs that is what came into the block, as it is."""
        first = self.blocks.get(step.path, (0, 0))[0]
        wanted = [i for i in step.inputs if not set(self.state.at(i)) & set(event.inputs)]
        return step.op == "add" and len(wanted) == 1 and wanted[0] < first

    def elsewhere(self, edit: Edit) -> str:
        """Where another branch begins, if not where the table's does."""
        begin = self.events[edit.events[0]].inputs if edit.events else ()
        if not begin or set(begin) & set(self.state.at(self.steps[edit.steps[0]].inputs[0])):
            return ""
        index = next((i for i, places in enumerate(self.state.places) if begin[0] in places), None)
        first = self.blocks.get(self.names.layer(self.join_behind(edit.steps)), (0, 0))[0]
        if index is not None and index >= first:
            return f" behind the unit's first {noun_of(self.steps[index])}"
        return f" of {self.known(begin[0])}"

    def inputs_apart(self, step: Step, event: Event) -> tuple[str, str]:
        """What feeds an operator of the module and one of the table, in the paper's names; what feeds both is left out."""
        here = [place for place in event.inputs if not any(place in self.state.at(i) for i in step.inputs)]
        there = [i for i in step.inputs if not set(self.state.at(i)) & set(event.inputs)]
        if not here or not there:
            here, there = list(event.inputs), list(step.inputs)
        return listed([self.known(place) for place in here]), listed([self.named_or_image(i) for i in there])

    def known(self, place: int) -> str:
        """What the module made at a place: in the paper's name, where the table has the same."""
        if place < 0:
            return "the image"
        index = next((i for i, at in enumerate(self.state.places) if place in at and self.steps[i].op == self.events[place].op), None)
        return name(self.events[place]) if index is None else self.names.name(index)

    def convolutions(self, operators: Sequence[Operator]) -> str:
        """The convolutions on the longest way: "two 3×3 convolutions", "1×1, 3×3, 1×1"."""
        longest = [label(conv).split()[0] for conv in longest_way(operators)]
        if not longest:
            return "no convolution"
        if len(set(longest)) == 1:
            return f"{NUMBERS.get(len(longest), len(longest))} {longest[0]} convolution{'s' * (len(longest) > 1)}"
        return ", ".join(longest)

    def repeats(self, edit: Edit) -> int:
        """How many units like the one before them more layers are; 0 where they are something else."""
        unit = self.names.unit_before(edit.steps[0])
        if not unit:
            return 0
        first, last = self.blocks[unit]
        once, there = kernels(self.steps, range(first, last + 1)), kernels(self.events, edit.events)
        times = max(1, len(there) // max(1, len(once)))
        joins, of_unit = joins_in(self.events[i] for i in edit.events), joins_in(self.steps[first : last + 1])
        alike = bool(joins) == bool(of_unit) and (times == 1 or joins >= times * of_unit)
        return times if there == once * times and alike else 0

    def join_behind(self, steps: Sequence[int]) -> int:
        index = steps[-1]
        while self.steps[index].op not in JOINS:
            index = self.repair.next[index][0]
        return index

    def branch(self, edit: Edit) -> str:
        """What a branch is called: a shortcut where it is added and says so or is short."""
        join = self.steps[self.join_behind(edit.steps)]
        return "shortcut" if join.op == "add" and len(edit.steps) <= 2 else "branch"


def differences(step: Step, event: Event, numbers: bool = True) -> Iterator[tuple[str, str]]:
    """What an operator has and what the table has, fact by fact; numbers of maps, where they are not asked for, as "other"."""
    for fact in differing(step, event):
        if fact in ("maps", "features"):
            yield (f"{event.shape[0]} {fact}", f"{step.shape[0]}") if numbers else (f"other numbers of {fact}", "")
        else:
            word = "share" if fact == "factor" and step.op == "dropout" else fact
            yield in_words(word, getattr(event, fact)), in_words(word, getattr(step, fact))


def joins_in(operators: Iterable[Operator]) -> int:
    return sum(one.op in JOINS for one in operators)


def in_words(fact: str, value: object) -> str:
    match fact:
        case "bias":
            return "a bias" if value else "no bias"
        case "factor":
            return f"a factor of {1 if value is None else value}"
        case "share":
            return f"a share of {value}"
        case "ceil":
            return f"windows that {'may' if value else 'do not'} reach over the edge"
        case "zeros":
            return f"averages {'with' if value else 'without'} the zeros around the image"
        case "border":
            return f"{BORDERS.get(str(value), value)} around the image"
        case "kernel":
            return f"kernel {value}×{value}" if isinstance(value, int) else f"kernel {value}"
        case _:
            return f"{fact} {value}"


def words(operators: Sequence[Operator], numbers: bool) -> str:
    """Operators in a row; without numbers of maps where these are not asked for."""
    said = ", ".join(map(name, operators))
    return said if numbers else re.sub(r"(conv|linear) \d+", r"\1", said)


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """With how many of the same two lists begin."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
