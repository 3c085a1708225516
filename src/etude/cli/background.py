"""`python -m etude.cli.background FOLDER PAGE train …`: a command as the studio starts it (studio/background.py)."""

import signal
import sys
from pathlib import Path

from etude.cli.app import main
from etude.studio.background import Background

if __name__ == "__main__":
    if sys.platform == "win32":  # the only signal there that reaches a process of another group
        signal.signal(signal.SIGBREAK, lambda number, frame: signal.raise_signal(signal.SIGINT))
    folder, page, *arguments = sys.argv[1:]
    with Background(Path(folder)).held(arguments, page):
        main(arguments)
