"""Where the files lie that tests read."""

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
FOREIGN, HOSTILE, ANSWERS, SCRIPTS = TESTS / "foreign", TESTS / "hostile", TESTS / "answers", TESTS / "scripts"
