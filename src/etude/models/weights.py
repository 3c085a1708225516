"""Weights from elsewhere under names that are known: loaded into the networks here that have the same layers.

A file fits a network when, under the names below, both have the same tensors with the same shapes. Nothing is guessed, left over or
half loaded. The names are those of torchvision 0.28.0 (models/resnet.py, densenet.py, googlenet.py), which timm has too, and for CIFAR
those of the most used ResNets. Weights under other names need the code that they belong to (`verification/carry.py`).
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from etude.errors import EtudeError
from etude.models import registry
from etude.models.densenet import DenseNet
from etude.models.googlenet import GoogLeNet, TorchvisionGoogLeNet
from etude.models.pieces import ZeroPadShortcut
from etude.models.resnet import Bottleneck, CifarResNet, ResNet

Tensors = Mapping[str, Tensor]
Renames = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]

# our name of a tensor becomes theirs, by one replacement after the other

RESNET: Renames = (
    (r"^conv([2-5])_x\.", lambda stage: f"layer{int(stage[1]) - 1}."),
    (r"\bnorm([1-3])\.", r"bn\1."),
    (r"\.shortcut\.", ".downsample."),
)

CIFAR: Renames = (
    (r"^conv([2-5])_x\.", lambda stage: f"layer{int(stage[1]) - 1}."),
    (r"\bnorm([1-3])\.", r"bn\1."),
    (r"^fc\.", "linear."),
)

DENSENET: Renames = (
    (r"^conv1\.", "features.conv0."),
    (r"^norm1\.", "features.norm0."),
    (r"^dense_block_(\d)\.(\d+)\.", lambda layer: f"features.denseblock{layer[1]}.denselayer{int(layer[2]) + 1}."),
    (r"^transition_(\d)\.", r"features.transition\1."),
    (r"^norm\.", "features.norm5."),
    (r"^fc\.", "classifier."),
)

GOOGLENET: Renames = (
    (r"^conv2\.", "conv3."),
    (r"^conv2_reduce\.", "conv2."),
    (r"^inception_", "inception"),
    (r"\.branch1x1\.", ".branch1."),
    (r"\.reduce_3x3\.", ".branch2.0."),
    (r"\.branch3x3\.", ".branch2.1."),
    (r"\.reduce_5x5\.", ".branch3.0."),
    (r"\.branch5x5\.", ".branch3.1."),
    (r"\.pool_proj\.", ".branch4.1."),
    (r"^(aux[12])\.conv1\.", r"\1.conv."),
    (r"\.norm\.", ".bn."),
)

HEADS = ("aux1.", "aux2.")

# the published DenseNets have a dot where module names may no longer have one (`_load_state_dict` in torchvision's densenet.py)
OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var))$")


MOST_REPEATED = 2**30  # bytes of a tensor whose numbers stand in memory but once, as `expand` makes them
# how the names of tensors begin where a network was wrapped: by DataParallel, by torch.compile, in a class for training
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.")


@dataclass(frozen=True)
class Family:
    """Networks that others have too, under names of their own.

    network     their class here
    names       the registered ones, where they compute what the others' compute
    renames     from our names to theirs
    heads       how the names of tensors begin that serve training alone: a network without them leaves them out
    both_sides  whether option A has half of its zero channels in front of the others: these networks compute what ours do only once
                their channels are put in another order
    """

    network: type[nn.Module]
    names: tuple[str, ...]
    renames: Renames
    heads: tuple[str, ...] = ()
    both_sides: bool = False

    def their_name(self, name: str) -> str:
        """The others' name of our tensor."""
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name


FAMILIES = (
    Family(ResNet, ("resnet18", "resnet34", "resnet50@v15", "resnet101@v15", "resnet152@v15"), RESNET),
    Family(DenseNet, ("densenet121", "densenet161", "densenet169", "densenet201"), DENSENET),
    Family(TorchvisionGoogLeNet, ("googlenet@torchvision",), GOOGLENET, heads=HEADS),
)

PROJECTED = ("resnet20@b", "resnet32@b", "resnet44@b", "resnet56@b", "resnet110@b")
CIFAR_FAMILIES = (
    Family(CifarResNet, (*(name.removesuffix("@b") for name in PROJECTED), *PROJECTED, "resnet1202"), CIFAR, both_sides=True),
    Family(CifarResNet, PROJECTED, RESNET),
    *(Family(ResNet, tuple(f"resnet{depth}@cifar" for depth in (18, 34, 50, 101, 152)), names) for names in (CIFAR, RESNET)),
)
KNOWN = (*FAMILIES, *CIFAR_FAMILIES)


def load_torchvision(module: nn.Module, state_dict: Mapping[str, Any]) -> None:
    """Load the weights of torchvision's ResNet, DenseNet or GoogLeNet into ours, all of them or none.

    `module` keeps its dtype and device. Weights without `num_batches_tracked` (from before PyTorch 0.4.1) leave it as it is; a
    GoogLeNet without heads leaves those of the weights out. torchvision's published GoogLeNet was trained elsewhere: it wants images
    normalised by mean 0.5 and standard deviation 0.5 (there `transform_input`), the others by those of ImageNet.

    Raises EtudeError, before anything is changed, for a network that torchvision has not, for weights that differ from it in names or
    shapes, and for a ResNet with the stride of its bottlenecks in the 1×1, where torchvision's weights fit but compute something else.
    """
    load(module, state_dict, (family_of(module),))


def load(module: nn.Module, state_dict: Mapping[str, Any], families: Sequence[Family]) -> Family:
    """Load the weights by the names of the first of these families that has exactly these tensors. Raises as `load_torchvision`."""
    ours, theirs = module.state_dict(), named(tensors_of(state_dict))
    problems = [difference(family, ours, theirs) for family in families]
    if None not in problems:
        raise EtudeError(f"{problems[0]}; {advice(ours, theirs)}")
    family = families[problems.index(None)]
    if any(isinstance(unit, Bottleneck) and unit.conv1.stride != (1, 1) for unit in module.modules()):
        strides = 'torchvision has the stride of a bottleneck in its 3×3 (v1.5, stride_in="3x3"), this network in the first 1×1'
        raise EtudeError(f"{strides}, where the weights fit but compute something else; {advice(ours, theirs)}")
    if not family.both_sides and any(isinstance(part, ZeroPadShortcut) for part in module.modules()):
        raise EtudeError("the names do not say where the zero channels of option A stand; the code that the weights belong to does")
    if any(tensor.is_meta for tensor in ours.values()):
        raise EtudeError(f"{type(module).__name__} is on the meta device and has no memory for weights; build it on a real one")
    module.load_state_dict({name: theirs.get(family.their_name(name), value) for name, value in ours.items()})
    return family


def recognise(state_dict: Mapping[str, Any], families: Sequence[Family] = FAMILIES) -> str | None:
    """The registered network whose tensors these are by the families' names and by shape, for any number of classes."""
    theirs = named(tensors_of(state_dict))
    depth = 2 + sum(re.fullmatch(r"layer\d+\.\d+\.conv\d\.weight", name) is not None for name in theirs)  # of a ResNet for CIFAR
    for family in families:
        for name in family.names:
            if family.their_name("fc.weight") not in theirs or registry.row(name).options.get("depth", depth) != depth:
                continue  # before it is built
            if difference(family, without_numbers(name, *options_of(name, theirs).items()), theirs) is None:
                return name
    return None


@functools.cache
def without_numbers(name: str, *options: tuple[str, Any]) -> Tensors:
    """The tensors of a registered network, on the meta device."""
    with torch.device("meta"):
        return registry.build(name, **dict(options)).state_dict()


def options_of(name: str, theirs: Tensors) -> dict[str, Any]:
    """The options by which the registered network gets as many classes as the weights have, and heads if they have them."""
    last = next((theirs[key] for key in ("fc.weight", "classifier.weight", "linear.weight") if key in theirs), None)
    found: dict[str, Any] = {"classes": len(last)} if last is not None and last.dim() == 2 else {}
    found["auxiliary"] = any(tensor.startswith(HEADS) for tensor in theirs)
    known = signature(registry.row(name).factory()).parameters
    return {option: value for option, value in found.items() if option in known}


def in_python(name: str, options: Mapping[str, Any]) -> str:
    """The expression that builds the network."""
    return f"etude.build({', '.join([json.dumps(name), *(f'{option}={value!r}' for option, value in options.items())])})"


def family_of(module: nn.Module) -> Family:
    """Torchvision's networks of that kind. Raises EtudeError for a network that torchvision has not."""
    return families_of(module, FAMILIES)[0]


def families_of(module: nn.Module, families: Sequence[Family] = KNOWN) -> list[Family]:
    """Those that have a network of that class. Raises EtudeError where there is none."""
    if found := [family for family in families if isinstance(module, family.network)]:
        return found
    if isinstance(module, GoogLeNet):
        raise EtudeError("torchvision's GoogLeNet is not the published one; load its weights into googlenet@torchvision")
    known = ", ".join(name for family in FAMILIES for name in family.names)
    raise EtudeError(f"torchvision has no {type(module).__name__}; its weights can be loaded into {known}")


def tensors_of(content: Any) -> dict[str, Tensor]:
    """The tensors of a state_dict, or of a checkpoint around one, by the names that they have there.

    Raises EtudeError where there are none, or something beside them.
    """
    for entry in ("state_dict", "model_state_dict", "model", "net"):
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping):
        raise EtudeError(f"no state_dict but {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            raise EtudeError(f"no state_dict: `{name}` is no dense tensor but {type(value).__name__}")
        size = value.numel() * value.element_size()
        if not value.is_meta and size > max(MOST_REPEATED, value.untyped_storage().nbytes()):
            raise EtudeError(f"no whole state_dict: `{name}` has fewer numbers than its shape {shape(value)} says")
    return dict(content)


def unwrapped(tensors: Tensors) -> Iterator[dict[str, Tensor]]:
    """The tensors as they are named, and without the prefixes that all of them have, one after the other."""
    found = dict(tensors)
    yield found
    while prefix := next((prefix for prefix in WRAPPERS if found and all(name.startswith(prefix) for name in found)), ""):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
        yield found


def named(tensors: Tensors) -> dict[str, Tensor]:
    """The tensors by the names that torchvision uses today, without any prefix."""
    *_, bare = unwrapped(tensors)
    return {OLD_DENSENET.sub(r"\1\2", name): value for name, value in bare.items()}


def difference(family: Family, ours: Tensors, theirs: Tensors) -> str | None:
    """The first tensor in which the two sides differ, in words; None where they fit."""
    wanted = {family.their_name(name): name for name in ours}
    for their_name, name in wanted.items():
        if their_name not in theirs:
            if not name.endswith("num_batches_tracked"):
                return f"the weights have no `{their_name}`, here `{name}` ({shape(ours[name])})"
        elif theirs[their_name].shape != ours[name].shape:
            return f"`{their_name}` is {shape(theirs[their_name])} in the weights, here `{name}` is {shape(ours[name])}"
    heads = any(their_name.startswith(family.heads) for their_name in wanted)
    for their_name, value in theirs.items():
        if their_name not in wanted and (heads or not their_name.startswith(family.heads)):
            return f"the weights have `{their_name}` ({shape(value)}), for which there is no place here"
    return None


def shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"


def advice(ours: Tensors, theirs: Tensors) -> str:
    """Whose weights these are, and what to do with them."""
    if ours.keys() <= theirs.keys():
        return "they are in Etude's own names, which load_state_dict takes"
    name = recognise(theirs, KNOWN)
    if name is None:
        return "no network that torchvision and Etude share has exactly these tensors: part of them is missing, or they are of another"
    options = options_of(name, theirs)
    heads = "" if options.get("auxiliary", True) else " without auxiliary heads"
    whose = f"they are those of {name}{heads} for {options['classes']} classes"
    known = any(name in family.names for family in FAMILIES)
    return f"{whose}: load them into {in_python(name, options)}" if known else f"{whose}, as which `etude convert` takes them"
