"""Weights that no parameter is alone: a slice of one, several in a stack, views of one long vector.

Whatever a module makes of its parameters alone is made again with the places of their numbers in place of these. So it is known whether it
holds the same numbers in another arrangement, and which; then an operator that is given it is given a `Part`, which stands where a
parameter would.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from etude.explain.recorder import Call, each, tensors_in

Given = Callable[[nn.Parameter], Tensor]  # what stands for a parameter


@dataclass(frozen=True, eq=False)
class Recipe:
    """A call that made a tensor of parameters alone; in its arguments recipes stand for what was made so before.

    place  of the tensor among those that the call made
    """

    call: Call
    args: tuple[Any, ...]
    place: int

    def make(self, given: Given) -> Tensor:
        """The tensor again, of other numbers."""

        def filled(value: Any) -> Any:
            value = value.make(given) if isinstance(value, Recipe) else given(value) if isinstance(value, nn.Parameter) else value
            return value.clone() if self.call.wrote and isinstance(value, Tensor) else value

        args, values = each(self.args, filled)
        result = self.call.func(*args, **dict(zip(self.call.kwargs, values, strict=True)))
        return list(tensors_in(args[:1] if result is None else result))[self.place]


class Part(nn.Parameter):
    """Stands for a parameter where a weight is numbers of parameters in another arrangement; it has their values.

    make     makes it of what is given for the parameters, so that gradients reach them
    sources  the parameters
    numbers  for each of its numbers the place in the sources, counted through all parameters of the module from 1; 0 for a constant zero;
             None where they are not the parameters' own, but computed from them
    """

    make: Callable[[Given], Tensor]
    sources: tuple[nn.Parameter, ...]
    numbers: Tensor | None


def made(parameter: Tensor, given: Given) -> Tensor:
    """A parameter or part, of what is given for parameters."""
    if isinstance(parameter, Part):
        return parameter.make(given)
    return given(parameter) if isinstance(parameter, nn.Parameter) else parameter


def tied(parameter: Tensor) -> Tensor:
    """A parameter; of a part, what gradients reach its sources through."""
    return made(parameter, lambda source: source)


def sources(parameter: Tensor | None) -> tuple[nn.Parameter, ...]:
    if isinstance(parameter, Part):
        return parameter.sources
    return (parameter,) if isinstance(parameter, nn.Parameter) else ()


class Parts:
    """What a module's parameters are cut into and put together to while it runs; `before`, in an earlier run, where there was one."""

    def __init__(self, module: nn.Module, before: "Parts | None" = None) -> None:
        self.parameters = {id(parameter): parameter for parameter in module.parameters()}
        self.first: dict[int, int] = {}  # the place of a parameter's first number
        at = 1
        for key, parameter in self.parameters.items():
            self.first[key], at = at, at + parameter.numel()
        self.recipes: dict[int, Recipe] = {}  # by the ids of tensors, which the recorder keeps
        self.known: dict[int, Tensor | None] = {}
        self.found: dict[tuple[object, ...], Part] = before.found if before else {}

    def __iter__(self) -> Iterator[Part]:
        return iter(self.found.values())

    def note(self, call: Call) -> None:
        """Keep how a call that was given parameters, and nothing that comes from the images, made its tensors."""
        args = each((call.args, tuple(call.kwargs.values())), lambda value: self.recipes.get(id(value), value))
        for place, tensor in enumerate(call.made):
            self.recipes[id(tensor)] = Recipe(call, args, place)
            self.known.pop(id(tensor), None)

    def of(self, tensor: Tensor) -> Tensor | None:
        """The parameter, or the part of parameters, that a tensor is; None where it is something else."""
        key = id(tensor)
        if key in self.parameters:
            return tensor
        if key not in self.known:
            self.known[key] = self.made_by(self.recipes[key], tensor.detach()) if key in self.recipes else None
        return self.known[key]

    @torch.no_grad()
    def made_by(self, recipe: Recipe, values: Tensor) -> Tensor:
        """The parameter that a recipe gives, perhaps transposed; or the part that it cuts, puts together or computes."""
        met: dict[int, nn.Parameter] = {}

        def places(parameter: nn.Parameter) -> Tensor:
            met[id(parameter)] = parameter
            return self.numbers(parameter).to(torch.float64)

        try:
            numbers = recipe.make(places).round().to(torch.int64)
        except Exception:  # what asks for the kind of its numbers, say
            numbers = torch.zeros(0, dtype=torch.int64)
        given = tuple(met.values())
        taken = numbers[numbers > 0]
        moved = numbers.shape == values.shape and torch.equal(self.values(numbers, given, lambda source: source), values)
        if not moved or len(taken.unique()) < max(1, len(taken)):
            again = recipe.make(lambda source: source)
            same = again.shape == values.shape and torch.allclose(again, values)
            return self.known_as(recipe.make if same else lambda _: values, given, None, values)
        if len(given) == 1 and essential(given[0].shape) == essential(values.shape) and self.transposed(given[0], numbers):
            return given[0]
        return self.known_as(functools.partial(self.values, numbers, given), given, numbers, values)

    def transposed(self, whole: nn.Parameter, numbers: Tensor) -> bool:
        """Whether these are the numbers of a parameter with its sides in some order."""
        orders = itertools.permutations(range(whole.dim()))
        return any(torch.equal(self.numbers(whole).permute(order).flatten(), numbers.flatten()) for order in orders)

    def values(self, numbers: Tensor, sources: Iterable[nn.Parameter], given: Given) -> Tensor:
        """The numbers at these places of all parameters, of which `sources` are looked at; gradients reach what is given for them."""
        found = torch.zeros(numbers.shape, dtype=next(iter(self.parameters.values())).dtype)
        for source in sources:
            at, inside = self.inside(numbers, source)
            found[inside] = given(source).reshape(-1)[at[inside]].to(found.dtype)
        return found

    def fill(self, parameter: Tensor, values: Tensor) -> None:
        """Give a parameter, or that part of parameters, other values."""
        if not isinstance(parameter, Part):
            parameter.copy_(values)
        elif parameter.numbers is not None:
            self.fill_part(parameter.numbers, parameter.sources, values)

    def fill_part(self, numbers: Tensor, sources: Iterable[nn.Parameter], values: Tensor) -> None:
        for source in sources:
            at, inside = self.inside(numbers, source)
            flat = source.detach().flatten()
            flat[at[inside]] = values[inside]
            source.copy_(flat.view(source.shape))

    def given(self, use: int, values: Mapping[int, Tensor]) -> Tensor:
        """A parameter or part, by its id, of other values for the parameters."""
        part = next((part for part in self if id(part) == use), None)
        return part.make(lambda source: values[id(source)]) if part is not None else values[use]

    def counted(self, uses: Iterable[int]) -> dict[int, Tensor]:
        """How often each number of every parameter is in the parameters and parts with these ids."""
        times = {key: torch.zeros(parameter.numel(), dtype=torch.int8) for key, parameter in self.parameters.items()}
        parts = {id(part): part for part in self}
        for use in uses:
            if use in times:
                times[use] += 1
            elif use in parts:
                for source in parts[use].sources:
                    numbers = parts[use].numbers
                    if numbers is None:
                        times[id(source)].clamp_(min=1)
                        continue
                    at, inside = self.inside(numbers, source)
                    times[id(source)][at[inside]] += 1
        return times

    def inside(self, numbers: Tensor, parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
        """Places among all parameters as places in one of them, and which are in it."""
        at = numbers - self.first[id(parameter)]
        return at, (at >= 0) & (at < parameter.numel())

    def known_as(self, make: Callable[[Given], Tensor], given: tuple[nn.Parameter, ...], numbers: Tensor | None, values: Tensor) -> Part:
        """One part for the same numbers in the same arrangement, however often they are put together."""
        key = (values.shape, hash((values if numbers is None else numbers).numpy().tobytes()))
        if key not in self.found:
            part = Part(values.detach(), requires_grad=False)
            part.make, part.sources, part.numbers = make, given, numbers
            self.found[key] = part
        return self.found[key]

    @torch.no_grad()
    def put(self, parameters: Sequence[Tensor], change: Callable[[Sequence[Tensor]], Tensor]) -> Part:
        """What `change`, which only moves numbers, makes of parameters and parts."""
        every = tuple(dict.fromkeys(source for parameter in parameters for source in sources(parameter)))
        computed = any(isinstance(one, Part) and one.numbers is None for one in parameters)
        numbers = None if computed else change([self.numbers(parameter) for parameter in parameters])
        return self.known_as(lambda given: change([made(one, given) for one in parameters]), every, numbers, change(parameters))

    def live(self, tensors: Sequence[Tensor], change: Callable[[Sequence[Tensor]], Tensor]) -> Part:
        """The same of tensors that are not learned, as they are when it is asked for."""
        part = Part(change(tensors), requires_grad=False)
        part.make, part.sources, part.numbers = lambda given: change([made(one, given) for one in tensors]), (), None
        return part

    def numbers(self, parameter: Tensor) -> Tensor:
        """The places of its numbers."""
        if isinstance(parameter, Part):
            assert parameter.numbers is not None
            return parameter.numbers
        first = self.first[id(parameter)]
        return torch.arange(first, first + parameter.numel()).view(parameter.shape)


def essential(shape: Sequence[int]) -> list[int]:
    """The sides of a tensor without those of 1, in no order."""
    return sorted(side for side in shape if side != 1)
