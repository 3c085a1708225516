"""A module while it runs, in whatever style it is written: which functions of torch make its tensors, and what feeds them.

Functional calls and modules look the same here, because both end in the functions of torch that a `TorchFunctionMode` sees.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from etude.explain.compiled import Dispatched, is_compiled
from etude.explain.operators import OPERATORS, WITHOUT_NUMBERS

Function = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """A function of torch that made tensors, or wrote into them.

    func, args, kwargs  as it was called
    made        the tensors that it gave; those that it wrote into where it gave nothing
    wrote       whether it wrote into a tensor that it was given
    path        of the module it ran in; "" for the outermost
    inputs      the operators whose results it was given, each once; -1 is the network's input
    parameters  that it was given, as they are or as what was computed from them alone
    """

    func: Function
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    made: tuple[Tensor, ...]
    wrote: bool
    path: str
    inputs: tuple[int, ...]
    parameters: tuple[nn.Parameter, ...]

    def facts(self, made: Tensor) -> dict[str, Any]:
        """The fields of an Operator, but for its index, that follow from the call and a tensor that it made."""
        describe = OPERATORS.get(self.func)
        facts = describe(self.args, self.kwargs, made) if describe else {"op": "other"}
        return {"path": self.path, "inputs": self.inputs, "shape": tuple(made.shape[1:]), "name": name_of(self.func)} | facts


class Recorder(TorchFunctionMode):
    """Sees every function of torch while it is active. What it makes of them, a subclass says in `note`."""

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        super().__init__()
        self.module = module
        self.handles: list[RemovableHandle] = []
        self.path = [""]
        self.source = {id(x): -1}  # the operator that made a tensor
        self.seen = {numbers_of(x): -1}  # the operator that made the numbers that lie in a place of memory
        self.writer: dict[int, int] = {}  # the operator that last wrote into a piece of memory
        # the parameters that a tensor was made from, and from nothing else
        self.weights: dict[int, tuple[nn.Parameter, ...]] = {id(parameter): (parameter,) for parameter in module.parameters()}
        self.busy = False
        self.within = contextlib.ExitStack()
        self.alive: list[Any] = [x]  # an id stays unique only while its tensor lives

    def note(self, call: Call) -> None:
        """Keep a call that made new tensors or wrote into old ones; `made_by` says which operator it is, where it is one."""
        raise NotImplementedError

    def run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the module gets for its call."""
        return func(*args, **kwargs)

    def made_by(self, index: int, call: Call, tensors: Iterable[Tensor]) -> None:
        """From now on these tensors of the call are known as the result of operator `index`."""
        for tensor in tensors:
            self.alive.append(tensor)
            self.source[id(tensor)] = self.seen[numbers_of(tensor)] = index
            if call.wrote:
                self.writer[memory_of(tensor)] = index

    def origin(self, tensor: Tensor) -> int | None:
        """The operator whose result a tensor holds: the one that made it, or the last that wrote into its memory since.

        Torch makes a tensor of another class (`as_subclass`) without telling anybody; that is known by where its numbers lie.
        """
        made = self.source[id(tensor)] if id(tensor) in self.source else self.seen.get(numbers_of(tensor))
        found = (made, self.writer.get(memory_of(tensor)))
        return max((index for index in found if index is not None), default=None)

    def origins(self, tensor: Tensor) -> tuple[int, ...]:
        """The operators whose results a tensor holds: one, or none."""
        origin = self.origin(tensor)
        return () if origin is None else (origin,)

    def __torch_function__(self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.busy:
            return func(*args, **kwargs)
        with self.at_work():
            given = list(tensors_in((args, tuple(kwargs.values()))))
            versions = [version(tensor) for tensor in given]
            result = self.run(func, args, kwargs)
            wrote = [version(tensor) for tensor in given] != versions
            if not wrote and func in OPERATORS and any(result is tensor for tensor in given):
                result = result.view_as(result)  # dropout in eval mode gives its input back; the two are different places
            made = tuple(tensors_in(args[:1] if result is None else result))
            if func not in WITHOUT_NUMBERS:
                self.see(func, args, kwargs, made, wrote, self.path[-1])
        return result

    def see(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], made: tuple[Tensor, ...], wrote: bool, path: str) -> None:
        """Note a call that made new tensors or wrote into old ones."""
        if wrote or any(id(tensor) not in self.source for tensor in made):
            given = list(tensors_in((args, tuple(kwargs.values()))))
            inputs = tuple(dict.fromkeys(index for tensor in given for index in self.origins(tensor)))
            parameters = tuple(dict.fromkeys(p for tensor in given for p in self.weights.get(id(tensor), ())))
            if parameters and not inputs:
                self.alive.append(made)
                self.weights |= {id(tensor): parameters for tensor in made}
            self.note(Call(func, args, kwargs, made, wrote, path, inputs, parameters))

    def see_compiled(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], made: tuple[Tensor, ...], wrote: bool) -> None:
        """The same of an operator in compiled code, which stands in the module whose parameters it is given."""
        self.alive.append(made)
        homes = (self.homes[id(tensor)] for tensor in tensors_in(args) if id(tensor) in self.homes)
        with self.at_work():
            self.see(func, args, kwargs, made, wrote, next(homes, self.path[-1]))

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """What is called within belongs to what is being looked at."""
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def __enter__(self) -> Self:
        if is_compiled(self.module):
            self.homes = {id(weight): name.rpartition(".")[0] for name, weight in self.module.named_parameters()}
            self.within.enter_context(Dispatched(lambda: not self.busy, self.see_compiled))
            self.within.enter_context(torch.jit.optimized_execution(False))  # type: ignore[attr-defined]
        for path, part in self.module.named_modules():
            if isinstance(part, torch.jit.ScriptModule):  # which takes no hooks
                continue
            self.handles.append(part.register_forward_pre_hook(lambda *_, path=path: self.path.append(path)))
            self.handles.append(part.register_forward_hook(lambda *_: void(self.path.pop())))
        return super().__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self.within.close()
        for handle in self.handles:
            handle.remove()


def name_of(func: Function) -> str:
    """`conv2d`; of a property such as `x.T`, `T`."""
    name = getattr(func, "__name__", str(func))
    return getattr(getattr(func, "__self__", None), "__name__", name) if name == "__get__" else name


def memory_of(tensor: Tensor) -> int:
    """A number for the memory that a tensor lies in, the same for its views; of a sparse tensor one that it has to itself."""
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return -id(tensor)


def numbers_of(tensor: Tensor) -> tuple[object, ...]:
    """Where in memory its numbers lie, and in which order."""
    if tensor.layout is not torch.strided:
        return (memory_of(tensor),)
    return memory_of(tensor), tensor.storage_offset(), tuple(tensor.shape), tensor.stride()


def version(tensor: Tensor) -> int:
    """How often a tensor has been written into."""
    return 0 if tensor.is_inference() else tensor._version


def void(_: object) -> None:
    """A forward hook that returns a value would replace the module's output."""


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists, dicts and dataclasses."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in([getattr(value, field.name, None) for field in dataclasses.fields(value)])


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value, with everything in its tuples and lists changed."""
    return type(value)(each(item, change) for item in value) if type(value) in (tuple, list) else change(value)
