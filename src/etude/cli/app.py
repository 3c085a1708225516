"""The command `etude`, and what it says when something goes wrong: one message, and an exit code that is not 0."""

import errno
import io
import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from etude.cli.render import end_line
from etude.errors import EtudeError, nearest
from etude.version import VERSION

# by what one wants: each command with its module, which is imported when it is asked for, and what it is for
VERBS = {
    "Read the classics": {
        "ls": ("listing", "the networks; the recipes, the trained weights"),
        "show": ("show", "a network: its paper, counts, published results, layers"),
        "read": ("read", "its source, beside what the paper says of each part"),
        "explain": ("explain", "shapes, cost, gradients, receptive fields; of your own code too"),
    },
    "Hold code against the papers": {
        "verify": ("verify", "anybody's code against a network of a paper"),
        "identify": ("identify", "which network some code is, or the nearest one"),
        "audit": ("audit", "the implementations that the world uses, one after the other"),
        "doctor": ("doctor", "why a loaded network is at 10, 20 or 81 %; or this machine"),
    },
    "Write code": {
        "practice": ("practice", "write a block, and be told precisely which mistake you made"),
        "lessons": ("lessons", "the seven lessons as notebooks"),
        "studio": ("studio", "lessons, practice, networks and training in a browser"),
    },
    "Train and reproduce": {
        "train": ("train", "a network by a recipe, or on your own images"),
        "reproduce": ("reproduce", "the results of a paper, judged by rules that were fixed before"),
        "runs": ("runs", "what was trained, and what it gets wrong"),
        "cp": ("listing", "a recipe as a file of yours, to edit it"),
        "data": ("data", "the data sets: which are here, and get one"),
    },
    "Use what is trained": {
        "predict": ("predict", "the classes of images"),
        "convert": ("convert", "weights that others have trained"),
        "export": ("export", "ONNX, torch.export, safetensors, a folder for the Hub"),
        "bench": ("bench", "a network by every engine that is installed, side by side"),
    },
}
COMMANDS = {name: module for verbs in VERBS.values() for name, (module, _) in verbs.items()}


class Verbs(click.Group):
    """Imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))
        for title, verbs in VERBS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), what) for name, (_, what) in verbs.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            raise click.UsageError(f"no command `{cmd_name}`; {nearest(cmd_name, COMMANDS)}")
        command: click.Command = getattr(import_module(f"etude.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="etude")
def etude() -> None:
    """The classic convolutional networks: read, run, rewritten and reproduced."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. Ctrl-C stops it, also where whoever started it had that ignored (`nohup`, a script's `&`)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names such as 刘二大人 must not stop a terminal that cannot show them
    sys.exit(run(arguments))


def run(arguments: list[str] | None) -> int:
    """Run the command line; returns the exit code. What a person can mend is said in one message on standard error."""
    try:
        result: Any = etude.main(arguments, prog_name="etude", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except EtudeError as error:
        return fail(in_one_line(error), error.exit_code)
    except click.ClickException as error:
        if is_help(error):
            end_line()
            error.show()
            return error.exit_code
        return fail(of_click(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return fail("stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has left
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return fail(f"{error.filename or 'the disk'}: no space left; what was saved before is intact", 1)
        return fail(f"{error.filename or 'input/output'}: {error.strerror or error}", 1)


def in_one_line(error: EtudeError) -> str:
    """What it says, whatever the names of files in it are."""
    from etude.data.picture import shown  # which takes numpy

    return shown(str(error))


def is_help(error: click.ClickException) -> bool:
    """Whether it is the help of a group that is called alone, as click has it from 8.2 on."""
    return isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ()))


def of_click(error: click.ClickException) -> str:
    """What click says, in one line; where something is missing, with how the command is called. A help stays as it is."""
    if is_help(error):
        return error.format_message()
    said = " ".join(error.format_message().split()).removesuffix(".")
    if isinstance(error, click.MissingParameter) and error.ctx:
        command = error.ctx.command_path
        usage = " ".join((command, *error.ctx.command.collect_usage_pieces(error.ctx)))
        return f"{said}; usage: {usage}; `{command} --help` says more"
    return said


def fail(message: str, code: int) -> int:
    end_line()
    click.echo(f"error: {message}", err=True)
    return code
