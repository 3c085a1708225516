"""A network in eval mode with fewer passes over its maps: the same function, up to rounding."""

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Tracer(fx.Tracer):
    """Goes through everything but layers; a normalisation is one, whoever derives from it."""

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, path)


def fold(module: nn.Module) -> nn.Module:
    """The network in which a convolution does what a normalisation did that stood behind it, and behind nothing else.

    What was not folded it shares with `module`, which stays as it is.
    """
    traced = fx.GraphModule(module, Tracer().trace(module))
    parts = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.op == "call_module" else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution, norm = parts[str(before.target)], parts[str(node.target)]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            path, _, name = str(before.target).rpartition(".")
            setattr(traced.get_submodule(path), name, fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced
