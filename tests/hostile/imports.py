"""Needs what is not installed."""

import a_package_nobody_has  # type: ignore[import-not-found]

Net = a_package_nobody_has.Net
