"""The command line: parse, call one room, render. Torch is imported only by the verbs that need it."""

from etude.cli.app import main

__all__ = ["main"]
