"""What this machine has for us, as far as it can be made up here."""

from pathlib import Path

import pytest

from etude import capacity

MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("stat", "free"),
    [(None, 10), ("anon 31457280\nfile 62914560\ninactive_file 41943040\nactive_file 20971520\n", 50), ("anon 94371840\n", 10)],
)
def test_what_only_files_have_left_in_memory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stat: str | None, free: float
) -> None:
    monkeypatch.setattr(capacity, "GROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{100 * MEGABYTE}\n")
    (tmp_path / "memory.current").write_text(f"{90 * MEGABYTE}\n")
    if stat is not None:
        (tmp_path / "memory.stat").write_text(stat)
    assert capacity.free() == free
