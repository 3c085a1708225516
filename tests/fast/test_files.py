"""Files that are whole or not there."""

from pathlib import Path

import pytest

from etude.files import at_home, put


def test_on_windows_a_file_that_somebody_has_open_is_replaced_a_moment_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, tries = tmp_path / "old", tmp_path / "new", []
    new.write_text("new")
    replace = Path.replace

    def held(path: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(13, "Access is denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(PermissionError):  # anywhere else that is no passing thing
        put(new, old)
    monkeypatch.setattr("etude.files.IS_WINDOWS", True)
    put(new, old)
    assert (old.read_text(), len(tries)) == ("new", 3)


def test_a_name_that_begins_as_a_home_does_may_be_one() -> None:
    assert at_home("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert at_home("~/x") == Path.home() / "x"
