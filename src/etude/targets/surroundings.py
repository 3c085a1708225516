"""Where the code of a file finds itself: the modules beside it and above it, its package, no arguments, no graphics card."""

import ast
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from etude.source import Script

ABOVE = 3  # so many folders above its own are searched for what a file imports
CARDS = ("cuda", "mps", "xpu")


@contextlib.contextmanager
def module_of(script: Script) -> Iterator[ModuleType]:
    """An empty module in which a file can run as by `python FILE`. Within the context it is among the imported ones."""
    folder, file = script.file.resolve().parent, str(script.file)
    path, argv, bytecode = list(sys.path), sys.argv, sys.dont_write_bytecode
    sys.path[:] = [str(folder), *path, *map(str, import_roots(script))]
    sys.argv, sys.dont_write_bytecode = [file], True  # somebody's folder stays as it is
    script.known()
    with packages(script) as package, without_compiled_parts():
        name = f"{package}.{script.file.stem}" if package else free(script.file.stem)
        module = ModuleType(name)
        vars(module).update(__file__=file, __package__=package)
        sys.modules[name] = module
        try:
            yield module
        finally:
            sys.path[:], sys.argv, sys.dont_write_bytecode = path, argv, bytecode
            sys.modules.pop(name, None)


def free(name: str) -> str:
    """A name that no module has: a file may be called `types.py`."""
    while name in sys.modules:
        name += "_"
    return name


def import_roots(script: Script) -> list[Path]:
    """Folders above a file that have what it imports: a repository's root, mostly."""
    nodes = list(ast.walk(script.tree))
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    firsts = {name.partition(".")[0] for name in names} - {""}
    above = [folder for folder in script.file.resolve().parents[1 : ABOVE + 1] if folder != folder.parent]
    return [folder for folder in above if any((folder / first).is_dir() or (folder / f"{first}.py").is_file() for first in firsts)]


@contextlib.contextmanager
def packages(script: Script) -> Iterator[str]:
    """The packages that a file with relative imports is in, for as long as the context lasts; the name of the innermost, or ""."""
    level = max((node.level for node in ast.walk(script.tree) if isinstance(node, ast.ImportFrom)), default=0)
    above = script.file.resolve().parents
    while 0 < level < len(above) and (above[level] / "__init__.py").is_file():
        level += 1
    name = ""
    for folder in reversed([one for one in above[:level] if one.name]):
        name = f"{name}.{folder.name}" if name else free(folder.name)
        sys.modules[name] = Package(name, folder)
    try:
        yield name
    finally:
        first = name.partition(".")[0]
        for other in [one for one in sys.modules if first and f"{one}.".startswith(f"{first}.")]:
            del sys.modules[other]


@contextlib.contextmanager
def without_compiled_parts() -> Iterator[None]:
    """Within it a package can be imported whose compiled part does not load, since it was built for another build of torch.

    Such a package, torchvision of PyPI beside torch for the CPU, stops where it describes an operator of that part, which torch does not
    know. Those descriptions are passed over; whoever calls the operator is told by the package.
    """
    register = torch.library.register_fake

    def register_known(op: Any, func: Any = None, /, **options: Any) -> Any:
        if not isinstance(op, str) or is_operator(op):
            return register(op, func, **options)
        return func or (lambda described: described)

    setattr(torch.library, "register_fake", register_known)  # noqa: B010
    try:
        yield
    finally:
        setattr(torch.library, "register_fake", register)  # noqa: B010


def is_operator(name: str) -> bool:
    """Whether torch knows an operator: "torchvision::nms"."""
    namespace, _, operator = name.partition("::")
    return hasattr(getattr(torch.ops, namespace), operator.partition(".")[0])


class Package(ModuleType):
    """A folder as a package, whose `__init__.py` runs only when something is asked for that no file of the folder is named after."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.__path__ = [str(folder)]
        self.__package__ = name
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        folder = Path(self.__path__[0])
        is_file = (folder / name).is_dir() or (folder / f"{name}.py").is_file()
        start = folder / "__init__.py"
        if not (name.startswith("__") or is_file or self._begun) and start.is_file():
            self._begun = True
            exec(compile(start.read_bytes(), str(start), "exec", dont_inherit=True), vars(self))
        if name in vars(self):
            return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class CouldNotBeMade(Exception):
    """The use of what could not be made, because of `error`."""

    def __init__(self, error: BaseException, said: str) -> None:
        super().__init__(said)
        self.error = error


class Unmade:
    """Stands for what a statement would have made that failed, or for what could not be imported; whoever uses it is told."""

    def __init__(self, error: BaseException, said: str) -> None:
        self.error, self.said = error, said

    def used(self, *_: Any, **__: Any) -> NoReturn:
        raise CouldNotBeMade(self.error, self.said) from self.error

    __getattr__ = __call__ = __getitem__ = __iter__ = __len__ = __bool__ = __index__ = __int__ = __float__ = used
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __lt__ = __gt__ = used


class OnTheProcessor(TorchFunctionMode):
    """Whatever asks for a graphics card gets the processor: `.cuda()` and `.to("cuda")` in a file are no reason not to look at it."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in (Tensor.cuda, Tensor.xpu):
            return args[0]
        return func(*map(on_processor, args), **{key: on_processor(value) for key, value in (kwargs or {}).items()})


def on_processor(value: Any) -> Any:
    """A device as the processor, everything else as it is."""
    is_card = isinstance(value, torch.device) and value.type in CARDS
    return torch.device("cpu") if is_card or (isinstance(value, str) and value.partition(":")[0] in CARDS) else value
