"""What ran, in a normal form: as a table has it, whatever was packed with what.

A convolution whose maps are split afterwards, or that has groups, is several; convolutions of the pieces of a tensor that are summed are
one, of the whole; a bias may be added behind, or be the weight of a constant one; a kernel may stand among zeros, or work on columns; what
a convolution has around the image may be put there in front of it.
The numbers stay as they are: the signature of a slice is a slice of the signature.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.verification.parts import Part, essential
from etude.verification.trace import CLOSE, Event, Trace, weighting

PRODUCTS = ("conv", "linear")
CHANNELWISE = ("batch_norm", "relu", "sigmoid", "dropout", "scale", "max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool")
ELEMENTWISE = ("relu", "sigmoid", "dropout", "scale", "add", "concat", "multiply")
MOVES = ("other", "slice", "flatten")  # which may do nothing but move numbers


@dataclass(eq=False)
class Node:
    """An event, the nodes that feed it, its signatures, and what it made where that was kept. The images are a node without an event."""

    event: Event | None
    inputs: list["Node"]
    signatures: list[Tensor]
    kept: Tensor | None = None

    @property
    def signature(self) -> Tensor:
        return self.signatures[0]

    @property
    def op(self) -> str:
        return self.event.op if self.event else "image"

    @property
    def moves(self) -> bool:
        return self.op in MOVES and self.event is not None and not self.event.operands and len(self.inputs) == 1


def normal(trace: Trace, *, sums: bool = True) -> Trace:
    """The trace in normal form; itself, where it is.

    sums  whether also what a table may have just so: convolutions that are added, of a shortcut and a branch, say; a pool in front of one
    """
    form = Form(trace)
    passes = [form.multiplied, form.of_columns, form.framed, form.with_bias, form.ungrouped, form.moved, form.split, form.trimmed]
    passes += [form.with_ones, *[form.summed, form.joined, form.commuted] * sums]
    changed = form.channels_first()
    while any(change() for change in passes):  # one may make way for another
        changed = True
    return form.trace() if changed else trace


class Form:
    def __init__(self, trace: Trace) -> None:
        self.before, self.parts = trace, trace.parts
        self.nodes = [Node(None, [], trace.signatures[-1])]
        for event in trace.events:
            inputs = [self.nodes[index + 1] for index in event.inputs]
            self.nodes.append(Node(event, inputs, trace.signatures[event.index], trace.kept[event.index] if trace.kept else None))
        self.count()

    def count(self) -> None:
        self.consumers: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for before in node.inputs:
                self.consumers[before].append(node)

    def trace(self) -> Trace:
        """The nodes as events again."""
        made = Trace(self.before.images, self.parts, outputs=self.before.outputs, hidden=self.before.hidden, lost=self.before.lost)
        place = {node: index - 1 for index, node in enumerate(self.nodes)}
        for index, node in enumerate(self.nodes[1:]):
            assert node.event is not None
            inputs = tuple(dict.fromkeys(place[before] for before in node.inputs))
            made.events.append(replace(node.event, index=index, inputs=inputs))
            for signature in node.signatures:
                made.know(index, signature)
            if node.kept is not None:
                made.kept.append(node.kept)
        return made

    def exchange(self, at: Node, new: Sequence[Node], instead: dict[Node, Node]) -> None:
        """Put new nodes where one stands, and let others read them in place of what they read; what nobody reads then is left out."""
        index = self.nodes.index(at)
        self.nodes[index:index] = new
        for node in self.nodes:
            node.inputs = [instead.get(before, before) for before in node.inputs]
        waiting = list(instead)
        while waiting:
            node = waiting.pop()
            if node in self.nodes and node.event and not any(node in other.inputs for other in self.nodes):
                self.nodes.remove(node)
                waiting += node.inputs
        self.count()

    def only(self, node: Node) -> Node | None:
        """The one reader of a node that has one."""
        readers = self.consumers[node]
        return readers[0] if len(readers) == 1 else None

    # ── What computes a convolution or linear layer in other words ───────────────────────────────────────────────────────

    def channels_first(self) -> bool:
        """Tensors whose channels stand last as the table has them; a linear layer there is a 1×1 convolution."""
        last = {node for node in self.nodes if node.op == "linear" and node.event and len(node.event.shape) == 3}
        for node in self.nodes:
            if node.op in ELEMENTWISE and last.intersection(node.inputs):
                last.add(node)
        for node in reversed(self.nodes):
            if node in last and node.op != "other":
                last.update(before for before in node.inputs if before.op in ("other", *ELEMENTWISE))
        for node in last:
            if node.event and len(node.event.shape) == 3 and len(node.signatures) > 1:
                height, width, channels = node.event.shape
                facts = {"op": "conv", "kernel": 1, "stride": 1, "padding": 0} if node.op == "linear" else {}
                node.event = replace(node.event, shape=(channels, height, width), **facts)  # type: ignore[arg-type]
                node.signatures = [node.signatures[1]]
                node.kept = None if node.kept is None else node.kept.movedim(-1, 1)
        return bool(last)

    def multiplied(self) -> bool:
        """A product with a matrix of weights, as `matmul` or `einsum` has it: its signature is linear in that of its input."""
        for node in self.nodes:
            if node.op == "other" and node.event and len(node.inputs) == len(operands(node)) == 1 and len(node.event.shape) in (1, 3):
                weight, before = operands(node)[0], node.inputs[0].signature
                sides = len(node.signature), len(before)
                if weight.dim() > 1 and essential(weight.shape) == essential(sides):
                    for change in either_way(sides):
                        if close(change([weight.detach()]) @ before, node.signature).all():
                            facts = (
                                {"op": "conv", "kernel": 1, "stride": 1, "padding": 0} if len(node.event.shape) == 3 else {"op": "linear"}
                            )
                            node.event = replace(node.event, operands=(self.put([weight], change),), **facts)
                            return True
        return False

    def of_columns(self) -> bool:
        """A product with the windows that `unfold` cuts out."""
        for node in self.nodes:
            weight = next((one for one in operands(node) if one is not None and one.dim() > 1), None)
            columns = self.back(node)
            if node.op in ("linear", "other") and weight is not None and columns is not None and columns.event:
                source, facts = columns.inputs[0], columns.event
                kernel = facts.kernel if isinstance(facts.kernel, tuple) else (facts.kernel, facts.kernel)
                maps, end = weight.numel() // facts.shape[0], node
                while end.event and len(end.event.shape) != 3 and (after := self.only(end)) and after.moves:
                    end = after
                if end.event and end.event.shape[0] == maps == len(end.signature) and len(weight) == maps:
                    sides = (maps, len(source.signature), *kernel)
                    weights = (
                        self.put([weight], lambda given, sides=sides: given[0].reshape(sides)),  # type: ignore[misc]
                        *(one for one in operands(node) if one is not weight),
                    )
                    shown = {name: getattr(facts, name) for name in ("kernel", "stride", "padding", "dilation")}
                    event = replace(end.event, op="conv", operands=weights, bias=len(weights) > 1, path=node.event.path, **shown)  # type: ignore
                    new = Node(event, [source], end.signatures, end.kept)
                    self.exchange(columns, [new], {end: new})
                    return True
        return False

    def back(self, node: Node) -> Node | None:
        """The `unfold` whose windows a node reads, through views of them."""
        while len(node.inputs) == 1:
            (node,) = node.inputs
            if node.event and node.event.name == "unfold" and node.event.kernel:
                return node
            if not node.moves:
                return None
        return None

    def framed(self) -> bool:
        """Pixels that are put around an image for a convolution alone."""
        for node in self.nodes:
            after = self.only(node)
            if after and is_product(after) and node.event and after.event and after.op == "conv" and (border := border_of(node.event)):
                frame, own = node.event.padding, after.event.padding
                alike = own == 0 or border == after.event.border == "zeros"
                if isinstance(frame, int) and isinstance(own, int) and frame > 0 and alike:
                    event = replace(after.event, padding=frame + own, border=border)
                    new = Node(event, node.inputs, after.signatures, after.kept)
                    self.exchange(after, [new], {after: new})
                    return True
        return False

    def with_bias(self) -> bool:
        """A bias that is added behind."""
        for node in self.nodes:
            if node.op == "add" and len(node.inputs) == len(operands(node)) == 1:
                (before,), (bias,) = node.inputs, operands(node)
                alone = is_product(before) and len(operands(before)) == 1 and self.only(before) is node
                if alone and before.event and bias.numel() == len(node.signature):
                    flat = bias if bias.dim() == 1 else self.put([bias], lambda given: given[0].flatten())
                    event = replace(before.event, bias=True, operands=(*operands(before), flat))
                    new = Node(event, before.inputs, node.signatures, node.kept)
                    self.exchange(node, [new], {node: new})
                    return True
        return False

    def trimmed(self) -> bool:
        """A kernel with zeros around it."""
        for node in self.nodes:
            weight = operands(node)[0] if is_product(node) else None
            if isinstance(weight, Part) and node.event and weight.numbers is not None and weight.dim() == 4:
                kernel, padding = node.event.kernel, node.event.padding
                around = weight.numbers.clone()
                around[:, :, 1:-1, 1:-1] = 0
                if isinstance(kernel, int) and isinstance(padding, int) and kernel > 2 and padding > 0 and not around.any():
                    inner = self.put([weight], lambda given: given[0][:, :, 1:-1, 1:-1])
                    weights = (inner, *node.event.operands[1:])
                    border = "zeros" if padding == 1 else node.event.border
                    node.event = replace(node.event, kernel=kernel - 2, padding=padding - 1, border=border, operands=weights)
                    return True
        return False

    def commuted(self) -> bool:
        """A 1×1 convolution behind an average pool, which could as well stand in front of it."""
        for node in self.nodes:
            after = self.only(node)
            tiles = node.event is not None and node.event.kernel == node.event.stride
            if (
                node.op == "avg_pool"
                and tiles
                and node.event
                and not node.event.padding
                and not node.event.ceil
                and after
                and is_product(after)
            ):
                weights, event = operands(after), after.event
                if event and event.op == "conv" and only_group(after) and (event.kernel, event.stride, event.padding) == (1, 1, 0):
                    (before,) = node.inputs
                    pixels = before.event.shape[1:] if before.event else self.before.images.shape[2:]
                    signature = weights[0].detach().reshape(len(weights[0]), -1) @ before.signature
                    for bias in weights[1:]:
                        one = weighting(len(self.before.images), int(torch.tensor(pixels).prod())).sum()
                        signature = signature + bias.detach() * one
                    kept = None if before.kept is None else F.conv2d(before.kept, weights[0], *weights[1:2]).detach()  # type: ignore[call-overload]
                    first = Node(replace(event, shape=(len(signature), *pixels)), [before], [signature], kept)
                    second = Node(replace(node.event, shape=event.shape), [first], after.signatures, after.kept)
                    self.exchange(node, [first, second], {after: second})
                    return True
        return False

    # ── Groups ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def ungrouped(self) -> bool:
        """A convolution of groups whose inputs were put together for it."""
        for node in self.nodes:
            if is_product(node) and node.event and node.event.groups > 1:
                (before,) = node.inputs
                groups, maps, size = node.event.groups, len(node.signature), len(before.signature) // node.event.groups
                if size > 1 and (before.op == "concat" or before.moves):
                    new = []
                    for group in range(groups):
                        own = torch.arange(group * maps // groups, (group + 1) * maps // groups)
                        part = self.slice(before, torch.arange(group * size, (group + 1) * size))
                        kept = None if node.kept is None else node.kept[:, own]
                        new += [part, Node(self.sliced(node, own), [part], [node.signature[own]], kept)]
                    event = Event(0, "concat", node.event.path, (), node.event.shape)
                    new.append(Node(event, new[1::2], node.signatures, node.kept))
                    self.exchange(node, new, {node: new[-1]})
                    return True
        return False

    def slice(self, node: Node, at: Tensor) -> Node:
        """Some channels of a tensor."""
        pixels = node.event.shape[1:] if node.event else self.before.images.shape[2:]
        event = Event(0, "slice", node.event.path if node.event else "", (), (len(at), *pixels))
        return Node(event, [node], [node.signature[at]], None if node.kept is None else node.kept[:, at])

    def moved(self) -> bool:
        """A slice of what was put together, as that of which it is."""
        for node in self.nodes:
            if node.moves and len(node.signature) < len(node.inputs[0].signature):
                before = node.inputs[0]
                for first in range(len(before.inputs)):
                    for last in range(first, len(before.inputs) if before.op == "concat" else first + 1):
                        pieces = before.inputs[first : last + 1]
                        both = torch.cat([piece.signature for piece in pieces])
                        if (before.op == "concat" or before.moves) and close(both, node.signature, shapes=True).all():
                            event = Event(
                                0, "concat", before.event.path if before.event else "", (), node.event.shape if node.event else ()
                            )
                            new = [Node(event, pieces, node.signatures, node.kept)] if len(pieces) > 1 else []
                            self.exchange(node, new, {node: (new or pieces)[0]})
                            return True
        return False

    # ── One convolution that is split ────────────────────────────────────────────────────────────────────────────────

    def split(self) -> bool:
        for node in self.nodes:
            if is_product(node):
                chain = [node]
                while (after := self.only(chain[-1])) and after.op in CHANNELWISE and len(after.signature) == len(node.signature):
                    chain.append(after)
                pieces = self.pieces(chain[-1], chain[-1])
                if pieces and self.exchange_pieces(chain, pieces):
                    return True
        return False

    def pieces(self, whole: Node, behind: Node) -> list[tuple[Node, Tensor]] | None:
        """The slices of its channels that read a tensor, through views of it, and which they are; None where something else does."""
        found = []
        for node in self.consumers[behind]:
            if not node.moves:
                return None
            at = places(node.signature, whole.signature)
            if at is not None and len(at) < len(whole.signature):
                found.append((node, at))
                continue
            inner = self.pieces(whole, node)
            if not inner:
                return None
            found += inner
        return found

    def exchange_pieces(self, chain: Sequence[Node], pieces: Sequence[tuple[Node, Tensor]]) -> bool:
        new: list[Node] = []
        instead: dict[Node, Node] = {}
        for node, at in pieces:
            before = self.source(chain[0], at)
            if before is None:
                return False
            for whole in chain:
                before = Node(self.sliced(whole, at), [before], [whole.signature[at]], None if whole.kept is None else whole.kept[:, at])
                new.append(before)
            instead[node] = before
        self.exchange(chain[0], new, instead)
        return True

    def source(self, node: Node, at: Tensor) -> Node | None:
        """What channels of a convolution are made from; of one of several groups, what this group reads."""
        assert node.event is not None
        (before,), groups = node.inputs, node.event.groups
        if groups == 1:
            return before
        group = (at * groups).div(len(node.signature), rounding_mode="floor").unique()
        size = len(before.signature) // groups
        read = before.signature[int(group[0]) * size : (int(group[0]) + 1) * size]
        alike = (one for one in before.inputs if one.signature.shape == read.shape and close(one.signature, read).all())
        return next(alike, None) if len(group) == 1 else None

    def sliced(self, node: Node, at: Tensor) -> Event:
        event = node.event
        assert event is not None
        operands = tuple(None if operand is None else self.rows(operand, at) for operand in event.operands)
        return replace(event, shape=(len(at), *event.shape[1:]), operands=operands, groups=1)

    def rows(self, operand: Tensor, at: Tensor) -> Part:
        return self.put([operand], lambda given: given[0].index_select(0, at))

    def put(self, operands: Sequence[Tensor], change: Callable[[Sequence[Tensor]], Tensor]) -> Part:
        """Parameters as another; statistics, which are none, likewise."""
        known = all(operand.sources if isinstance(operand, Part) else id(operand) in self.parts.first for operand in operands)
        return self.parts.put(operands, change) if known else self.parts.live(operands, change)

    # ── Several convolutions that are summed ─────────────────────────────────────────────────────────────────────────

    def summed(self) -> bool:
        for node in self.nodes:
            if is_sum(node) and not any(is_sum(reader) for reader in self.consumers[node]):
                terms = list(self.terms(node))
                if len(terms) > 1 and all(map(is_product, terms)) and alike(terms, "kernel", "stride", "padding", "border", "dilation"):
                    biases = [operand for term in terms for operand in operands(term)[1:]]
                    if all(only_group(term) for term in terms) and len(biases) <= 1:
                        self.sum_up(node, terms, biases)
                        return True
        return False

    def terms(self, node: Node) -> Iterator[Node]:
        """What an addition adds, through others that it alone reads."""
        for before in node.inputs:
            while before.moves and close(before.signature, before.inputs[0].signature, shapes=True).all():
                before = before.inputs[0]
            if is_sum(before) and self.only(before) is not None:
                yield from self.terms(before)
            else:
                yield before

    def sum_up(self, node: Node, terms: Sequence[Node], biases: Sequence[Tensor]) -> None:
        new = self.lifted([term.inputs[0] for term in terms])
        weight = self.put([operands(term)[0] for term in terms], lambda given: torch.cat(list(given), 1))
        first, own = terms[0].event, node.event
        assert first is not None
        assert own is not None
        event = replace(first, shape=own.shape, bias=bool(biases), operands=(weight, *biases))
        new.append(Node(event, [new[-1]], node.signatures, node.kept))
        self.exchange(node, new, {node: new[-1]})

    def joined(self) -> bool:
        """Normalisations of the pieces of something that others read too, put together."""
        for node in self.nodes:
            if node.op == "concat" and all(self.only(before) is node for before in node.inputs):
                new = self.lifted(node.inputs)
                read = [len(self.consumers[piece]) for piece in new[0].inputs]
                if any(one.op == "batch_norm" for one in new) and max(read) > 1:
                    self.exchange(node, new, {node: new[-1]})
                    return True
        return False

    def lifted(self, pieces: Sequence[Node]) -> list[Node]:
        """The concatenation of some tensors; what was done to each alone and is the same is done behind it."""
        levels = [list(pieces)]
        while all(one.op in ("batch_norm", "relu", "global_avg_pool") and self.only(one) for one in levels[-1]) and alike(
            levels[-1], "op", "constants"
        ):
            levels.append([one.inputs[0] for one in levels[-1]])
        maps = sum(len(piece.signature) for piece in pieces)
        made: list[Node] = []
        for level in reversed(levels):
            first = level[0].event if made else None
            event = Event(0, "concat", pieces[0].event.path if pieces[0].event else "", (), ())
            if first:
                each = zip(*(operands(one) for one in level), strict=True)
                event = replace(
                    first, operands=tuple(None if None in row else self.put(row, lambda given: torch.cat(list(given))) for row in each)
                )
            shape = next((one.event.shape for one in level if one.event), ())
            kept = None if level[0].kept is None else torch.cat([one.kept for one in level if one.kept is not None], 1)
            event = replace(event, shape=(maps, *shape[1:]))
            made.append(Node(event, [made[-1]] if made else level, [torch.cat([one.signature for one in level])], kept))
        return made

    # ── A constant one among the channels ────────────────────────────────────────────────────────────────────────────

    def with_ones(self) -> bool:
        for node in self.nodes:
            weight = self.matrix(node)
            if weight is not None:
                whole = node.inputs[0]
                pixels = 1 if whole.event is None else max(1, int(torch.tensor(whole.event.shape[1:]).prod()))
                one = weighting(len(self.before.images), pixels).sum()
                ones = close(whole.signature, one.expand_as(whole.signature)).nonzero().flatten()
                if len(ones) != 1:
                    continue
                for before in whole.inputs:
                    at = places(before.signature, whole.signature)
                    if at is not None and len(at) == len(whole.signature) - 1:
                        self.without_ones(node, weight, before, at, ones)
                        return True
        return False

    def matrix(self, node: Node) -> Tensor | None:
        """The weights that an operator without a bias applies to every pixel, by output and input; None where it does something else."""
        if len(operands(node)) != 1 or len(node.inputs) != 1 or not node.event:
            return None
        (weight,) = operands(node)
        if is_product(node):
            return weight if node.event.kernel in (None, 1) and not node.event.padding else None
        if node.op == "other" and isinstance(weight, nn.Parameter) and weight.dim() == 2:
            x, y = node.inputs[0].signature, node.signature
            if weight.shape == (len(y), len(x)) and close(weight.detach().to(x.dtype) @ x, y).all():
                return weight
            if weight.shape == (len(x), len(y)) and close(x @ weight.detach().to(x.dtype), y).all():
                return self.put([weight], lambda given: given[0].T)
        return None

    def without_ones(self, node: Node, whole: Tensor, before: Node, at: Tensor, ones: Tensor) -> None:
        assert node.event is not None
        weight = self.put([whole], lambda given: given[0].index_select(1, at))
        bias = self.put([whole], lambda given: given[0].index_select(1, ones).flatten())
        new = Node(replace(node.event, bias=True, operands=(weight, bias)), [before], node.signatures, node.kept)
        self.exchange(node, [new], {node: new})


def operands(node: Node) -> tuple[Tensor, ...]:
    return node.event.operands if node.event else ()  # type: ignore[return-value]


def is_product(node: Node) -> bool:
    """Whether it is a convolution or linear layer whose weights are known."""
    return (
        node.op in PRODUCTS
        and len(node.inputs) == 1
        and all(isinstance(one, nn.Parameter) for one in operands(node))
        and len(operands(node)) > 0
    )


def border_of(event: Event) -> str:
    """What an operator puts around an image, as a convolution calls it; empty where it does something else."""
    mode, _, what = event.name.rpartition(" ")
    if event.op == "other":
        return mode if what == "pad" else ""
    return "zeros" if event.op == "pad" and event.channels == (0, 0) else ""


def is_sum(node: Node) -> bool:
    """Whether it is an addition, or computes one in another way."""
    if node.op != "other" or operands(node) or len(node.inputs) < 2:
        return node.op == "add"
    each = [before.signature for before in node.inputs]
    return all(one.shape == node.signature.shape for one in each) and bool(close(torch.stack(each).sum(0), node.signature).all())


def either_way(sides: tuple[int, int]) -> Iterator[Callable[[Sequence[Tensor]], Tensor]]:
    """What makes a matrix of these sides of a weight: as it is, or transposed."""
    yield lambda given: given[0].reshape(sides)
    yield lambda given: given[0].reshape(sides[::-1]).T


def only_group(node: Node) -> bool:
    return node.event is not None and node.event.groups == 1


def alike(nodes: Sequence[Node], *facts: str) -> bool:
    return len({(node.op, *(getattr(node.event, fact) for fact in facts)) for node in nodes}) == 1


def places(part: Tensor, whole: Tensor) -> Tensor | None:
    """For each channel of a slice its place in the whole, by their signatures; None where one is not there."""
    near = CLOSE * (part.abs().max() + 1e-30)
    same = (part[:, None] - whole).abs() <= near
    found: list[int] = []
    for row in same:
        at = next((at for at in row.nonzero().flatten().tolist() if at not in found), None)  # of channels that are alike, the next
        if at is None:
            return None
        found.append(at)
    return torch.tensor(found)


def close(one: Tensor, other: Tensor, *, shapes: bool = False) -> Tensor:
    if shapes and one.shape != other.shape:
        return torch.tensor(False)
    return (one - other).abs() <= CLOSE * (other.abs().max() + 1e-30)
