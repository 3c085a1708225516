"""`etude convert`: weights from elsewhere, in a file that a network here loads."""

import json
from pathlib import Path

import click

from etude.errors import EtudeError, UsageError
from etude.models import registry


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--network", metavar="NAME", help="Which network the weights are for; by default found by their names and shapes.")
def convert(file: Path, out: Path | None, network: str | None) -> None:
    """Convert torchvision's weights in FILE (.safetensors, .pth, .pt) to those of Etude's network, as safetensors in OUT.

    OUT is FILE ending in .etude.safetensors if not given. The weights are float32. Nothing that FILE holds is run.
    """
    out = out or file.parent / f"{file.stem}.etude.safetensors"
    if out.suffix != ".safetensors":
        raise UsageError(f"{out}: a converted file ends in .safetensors")
    if out.exists():
        raise EtudeError(f"{out}: is there already; choose another name")
    if network:
        registry.row(network)  # before torch is imported and anything is read

    from etude.models.weight_files import read_weights, write_weights
    from etude.models.weights import in_python, load_torchvision, options_of, recognise

    weights = read_weights(file)
    name = network or recognise(weights)
    if name is None:
        raise EtudeError(f"{file}: no network that torchvision and Etude share has exactly these tensors; --network says where one differs")
    options = options_of(name, weights)
    model = registry.build(name, **options)
    try:
        load_torchvision(model, weights)
    except EtudeError as error:
        raise EtudeError(f"{file}: {error}") from error
    write_weights(out, model, name, options)
    click.echo(f"{out}: {name}, {sum(parameter.numel() for parameter in model.parameters()):,} parameters; in Python:")
    click.echo("  import etude, safetensors.torch")
    click.echo(f"  model = {in_python(name, options)}")
    click.echo(f"  model.load_state_dict(safetensors.torch.load_file({json.dumps(str(out), ensure_ascii=False)}))")
