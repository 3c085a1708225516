"""Files with random changes of the exercises' solutions, and a judge of them that knows nothing of the checker.

The judge makes solution and mutant with the weights of one copied to the other by name, and compares in float64, on 20 signed inputs:
outputs in both modes, gradients, running statistics, and what starts at one number. The order of branches in a concatenation is free.
"""

import ast
import copy
import inspect
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from etude.practice.exercises import Exercise, exercise, names

INPUTS = 20
CLOSE = 1e-9
BRANCHES = ("inception_a", "refactor", "googlenet_inception", "dense_block")  # whose output is a concatenation


@dataclass(frozen=True)
class Mutant:
    exercise: str
    operator: str
    source: str


# ── Random changes ───────────────────────────────────────────────────────────────────────────────────────────────────


def mutants(name: str, count: int, rng: random.Random) -> list[Mutant]:
    """So many different changes of one solution, drawn from all operators; fewer where there are not as many."""
    source = exercise(name).solution.read_text(encoding="utf-8")
    seen, found = {ast.unparse(ast.parse(source))}, []
    for _ in range(60 * count):
        operator = rng.choice(OPERATORS)
        tree = ast.parse(source)
        if operator(tree, rng):
            changed = ast.unparse(ast.fix_missing_locations(tree))
            if changed not in seen:
                seen.add(changed)
                found.append(Mutant(name, operator.__name__, changed))
        if len(found) == count:
            break
    return found


def code(tree: ast.AST, kind: type[Any]) -> list[Any]:
    """The nodes of one kind in the bodies of functions, annotations and defaults left aside."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [part for function in functions for line in function.body for part in ast.walk(line) if isinstance(part, kind)]


def numbers(tree: ast.AST) -> list[ast.Constant]:
    return [node for node in code(tree, ast.Constant) if isinstance(node.value, (int, float)) and not isinstance(node.value, bool)]


def kernel(tree: ast.AST, rng: random.Random) -> bool:
    """Another kernel, padding or stride."""
    words = [k for call in code(tree, ast.Call) for k in call.keywords if k.arg in ("kernel_size", "padding", "stride", "dilation", "dim")]
    words = [word for word in words if isinstance(word.value, ast.Constant)]
    if not words:
        return False
    word = rng.choice(words)
    word.value = ast.Constant(word.value.value + rng.choice((-2, -1, 1, 2)))
    return True


def keyword_dropped(tree: ast.AST, rng: random.Random) -> bool:
    calls = [call for call in code(tree, ast.Call) if call.keywords]
    if not calls:
        return False
    call = rng.choice(calls)
    del call.keywords[rng.randrange(len(call.keywords))]
    return True


def call_dropped(tree: ast.AST, rng: random.Random) -> bool:
    """`F.relu(x)` becomes `x`."""
    calls = [call for call in code(tree, ast.Call) if call.args and not is_super(call)]
    if not calls:
        return False
    chosen = rng.choice(calls)
    replace(tree, chosen, rng.choice(chosen.args))
    return True


def is_super(call: ast.Call) -> bool:
    return "super" in ast.unparse(call.func)


def statement_dropped(tree: ast.AST, rng: random.Random) -> bool:
    bodies = [function.body for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) and len(function.body) > 1]
    if not bodies:
        return False
    body = rng.choice(bodies)
    del body[rng.randrange(len(body))]
    return True


def statements_swapped(tree: ast.AST, rng: random.Random) -> bool:
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and len(node.body) > 2]
    if not bodies:
        return False
    body = rng.choice(bodies)
    at = rng.randrange(len(body) - 1)
    body[at], body[at + 1] = body[at + 1], body[at]
    return True


def arguments_swapped(tree: ast.AST, rng: random.Random) -> bool:
    calls = [call for call in code(tree, ast.Call) if len(call.args) > 1]
    if not calls:
        return False
    call = rng.choice(calls)
    one, other = rng.sample(range(len(call.args)), 2)
    call.args[one], call.args[other] = call.args[other], call.args[one]
    return True


def constant(tree: ast.AST, rng: random.Random) -> bool:
    found = numbers(tree)
    if not found:
        return False
    number = rng.choice(found)
    value: Any = number.value
    number.value = rng.choice((value + 1, value - 1, 2 * value, -value, value + 0.5, 0))
    return True


def word(tree: ast.AST, rng: random.Random) -> bool:
    """True for False, "A" for "B", and the like."""
    found = [node for node in code(tree, ast.Constant) if isinstance(node.value, bool) or node.value in ("A", "B")]
    if not found:
        return False
    node = rng.choice(found)
    node.value = {"A": "B", "B": "A"}.get(str(node.value), not node.value)
    return True


def arithmetic(tree: ast.AST, rng: random.Random) -> bool:
    found = code(tree, ast.BinOp)
    if not found:
        return False
    node = rng.choice(found)
    if rng.random() < 0.3:
        node.left, node.right = node.right, node.left
    else:
        node.op = rng.choice([op for op in (ast.Add(), ast.Sub(), ast.Mult(), ast.FloorDiv(), ast.Div()) if type(op) is not type(node.op)])
    return True


def comparison(tree: ast.AST, rng: random.Random) -> bool:
    found = code(tree, ast.Compare)
    if not found:
        return False
    rng.choice(found).ops[0] = rng.choice((ast.Eq(), ast.NotEq(), ast.Gt(), ast.LtE()))
    return True


def other_name(tree: ast.AST, rng: random.Random) -> bool:
    """A variable or a layer in place of another."""
    found = [
        node for node in code(tree, ast.Name) if isinstance(node.ctx, ast.Load) and node.id not in ("self", "super", "nn", "F", "torch")
    ]
    layers = [node for node in code(tree, ast.Attribute) if isinstance(node.value, ast.Name) and node.value.id == "self"]
    uses = [node for node in layers if isinstance(node.ctx, ast.Load)]
    if uses and (not found or rng.random() < 0.5):
        rng.choice(uses).attr = rng.choice(layers).attr
    elif found:
        rng.choice(found).id = rng.choice(found).id
    else:
        return False
    return True


def other_function(tree: ast.AST, rng: random.Random) -> bool:
    """Another function or class of torch that takes the same."""
    swaps = [
        ("relu", "sigmoid", "tanh", "gelu", "leaky_relu"),
        ("max_pool2d", "avg_pool2d"),
        ("MaxPool2d", "AvgPool2d"),
        ("Dropout", "Dropout2d", "AlphaDropout"),
        ("BatchNorm2d", "InstanceNorm2d", "Identity"),
        ("train", "eval"),
        ("zero_grad", "step"),
        ("ReLU", "Sigmoid", "GELU"),
    ]
    found = [(node, group) for node in code(tree, ast.Attribute) for group in swaps if node.attr in group]
    if not found:
        return False
    node, group = rng.choice(found)
    node.attr = rng.choice([name for name in group if name != node.attr])
    return True


def wrapped(tree: ast.AST, rng: random.Random) -> bool:
    """An activation, a softmax, a scaling or a detach around what a call gives."""
    calls = [node.value for kind in (ast.Assign, ast.Return) for node in code(tree, kind) if isinstance(node.value, (ast.Call, ast.BinOp))]
    if not calls:
        return False
    chosen = rng.choice(calls)
    template = rng.choice(("torch.relu({})", "({}).detach()", "0.5 * ({})", "({}).softmax(1)", "-({})", "({}).abs()"))
    parsed = ast.parse(template.format(ast.unparse(chosen)), mode="eval").body
    replace(tree, chosen, parsed)
    return True


def replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    class Replacer(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return new if node is old else self.generic_visit(node)

    Replacer().visit(tree)


OPERATORS: tuple[Callable[[ast.AST, random.Random], bool], ...] = (
    kernel,
    keyword_dropped,
    call_dropped,
    statement_dropped,
    statements_swapped,
    arguments_swapped,
    constant,
    word,
    arithmetic,
    comparison,
    other_name,
    other_function,
    wrapped,
)


# ── The judge ────────────────────────────────────────────────────────────────────────────────────────────────────────


def differs(mutant: Mutant) -> bool:
    """Whether a mutant is another function than the solution. Code that raises is."""
    task = exercise(mutant.exercise)
    right, other = (loaded(source) for source in (task.solution.read_text(encoding="utf-8"), mutant.source))
    if other is None:
        return True
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with limited(30):
            judge = {"module": modules_differ, "function": functions_differ, "training": loops_differ}[task.kind]
            return judge(task, right, other)
    except Exception:
        return True
    finally:
        torch.set_default_dtype(before)


def loaded(source: str) -> ModuleType | None:
    module = ModuleType("mutant")
    try:
        exec(compile(source, "<mutant>", "exec", dont_inherit=True), vars(module))
    except Exception:
        return None
    return module


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """So many seconds of the processor, whatever else runs on it."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def modules_differ(task: Exercise, right: Any, other: Any) -> bool:
    return any(networks_differ(task, right, other, case.arguments, case.input) for case in task.cases)


def networks_differ(task: Exercise, right: Any, other: Any, arguments: tuple[Any, ...], shape: Any) -> bool:
    made = []
    for module in (right, other):
        torch.manual_seed(0)
        made.append(getattr(module, task.callables[0])(*arguments))
    one, two = made
    starts = [{name: value for name, p in module.named_parameters() if (value := single(p)) is not None} for module in made]
    if starts[0] != starts[1]:
        return True
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in one.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if (tensor >= 0).all() else 0.5 * torch.randn_like(tensor))
    two.load_state_dict(one.state_dict())
    images = torch.randn(INPUTS, *shape)
    return any(runs_differ(task, one.train(mode), two.train(mode), images) for mode in (True, False)) or states_differ(one, two)


def single(tensor: Tensor) -> float | None:
    """The one number that all entries are."""
    return tensor.flatten()[0].item() if tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all()) else None


def runs_differ(task: Exercise, first: nn.Module, second: nn.Module, images: Tensor) -> bool:
    results = []
    for module in (first, second):
        x = images.clone().requires_grad_()
        torch.manual_seed(2)
        out = module(x)
        if not isinstance(out, Tensor) or len(out) != len(images):
            return True
        out = in_order(out) if task.name in BRANCHES else out
        loss = (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum()
        named = dict(module.named_parameters())
        gradients = torch.autograd.grad(loss, [x, *named.values()], allow_unused=True)
        zeros = [torch.zeros(()) if gradient is None else gradient for gradient in gradients]
        results.append({"output": out, **dict(zip(["input", *named], zeros, strict=True))})
    one, two = results
    return one.keys() != two.keys() or any(one[key].shape != two[key].shape or apart(one[key], two[key]) > CLOSE for key in one)


def in_order(out: Tensor) -> Tensor:
    """The channels in an order that does not depend on that of the branches."""
    keys = (out.detach() * torch.linspace(1, 2, out[:, 0].numel()).view(len(out), 1, *out.shape[2:])).sum(dim=(0, 2, 3))
    return out[:, keys.argsort()]


def apart(one: Tensor, other: Tensor) -> float:
    largest = max(one.abs().max().item(), other.abs().max().item(), 1e-30)
    return (one - other).abs().max().item() / largest


def states_differ(one: nn.Module, two: nn.Module) -> bool:
    """Weights and running statistics, after the same runs."""
    first, second = one.state_dict(), two.state_dict()
    return first.keys() != second.keys() or any(apart(first[name].double(), second[name].double()) > CLOSE for name in first)


GRIDS: dict[str, Callable[[random.Random], tuple[int, ...]]] = {
    "conv_cost": lambda rng: tuple(rng.randint(1, 40) for _ in range(5)),
    "same_padding": lambda rng: (2 * rng.randint(0, 9) + 1, rng.randint(1, 6)),
    "flatten_size": lambda rng: (rng.randint(16, 120), rng.randint(16, 120)),
}


def functions_differ(task: Exercise, right: Any, other: Any) -> bool:
    rng, name = random.Random(0), task.callables[0]
    grid = [GRIDS[task.name](rng) for _ in range(300)]
    one, two = ([getattr(module, name)(*arguments) for arguments in grid] for module in (right, other))
    return one != two or any(type(value) is not int for value in two) or signature_of(right, name) != signature_of(other, name)


def signature_of(module: Any, name: str) -> list[Any]:
    return [parameter.default for parameter in inspect.signature(getattr(module, name)).parameters.values()]


class Small(nn.Module):
    """With everything that depends on the mode; chance comes from the seed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(F.relu(self.norm(self.conv(x))), 0.3, self.training)
        return self.fc(x.mean(dim=(2, 3)))


def loops_differ(task: Exercise, right: Any, other: Any) -> bool:
    results = []
    for functions in (right, other):
        torch.manual_seed(3)
        x, y = torch.randn(INPUTS + 3, 2, 6, 6), torch.randint(3, (INPUTS + 3,))
        loader = DataLoader(TensorDataset(x, y), batch_size=4)
        model = Small().eval()
        tested = copy.deepcopy(model).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5)
        for _ in range(3):
            functions.train_one_epoch(model, loader, optimizer)
        shares = [float(functions.accuracy(network, loader)) for network in (tested, model)]
        state = [*model.state_dict().values(), *tested.state_dict().values(), torch.tensor(shares)]
        results.append(torch.cat([tensor.double().flatten() for tensor in state]))
    return apart(*results) > CLOSE


def drawn(count: int, seed: int) -> list[Mutant]:
    """So many mutants over all exercises, alike often."""
    rng = random.Random(seed)
    each = -(-count // len(names()))
    found = [mutant for name in names() for mutant in mutants(name, each, rng)]
    return rng.sample(found, min(count, len(found)))
