"""A script that was never meant to be imported."""

import sys

from torch import nn

Net = nn.Identity
sys.exit(3)
