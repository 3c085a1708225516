"""`python -m etude` is the command `etude`."""

from etude.cli import main

main()
