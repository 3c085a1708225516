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

COMMANDS = {
    "audit": "audit",
    "bench": "bench",
    "convert": "convert",
    "cp": "listing",
    "data": "data",
    "doctor": "doctor",
    "explain": "explain",
    "export": "export",
    "identify": "identify",
    "lessons": "lessons",
    "ls": "listing",
    "practice": "practice",
    "predict": "predict",
    "read": "read",
    "reproduce": "reproduce",
    "runs": "runs",
    "show": "show",
    "studio": "studio",
    "train": "train",
    "verify": "verify",
}


class Verbs(click.Group):
    """Imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

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
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # of `etude` alone; click 8.1 has none
            end_line()
            error.show()
            return error.exit_code
        return fail(error.format_message(), error.exit_code)
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


def fail(message: str, code: int) -> int:
    end_line()
    click.echo(f"error: {message}", err=True)
    return code
