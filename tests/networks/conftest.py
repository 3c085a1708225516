"""The tests of one network run in a row, so that one process builds it once and forgets it before the next."""

import pytest

from whole import DEEPEST, SHALLOWER, Whole


@pytest.fixture(scope="session", params=[*SHALLOWER, *DEEPEST])
def whole(request: pytest.FixtureRequest) -> Whole:
    return Whole(request.param)
