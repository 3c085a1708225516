"""A script whose network is made by what was never meant to be imported."""

import sys

from torch import nn


Net = sys.exit(3) or nn.Identity
