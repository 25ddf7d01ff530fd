"""Where the cache lies, and what takes its place."""

import logging
import os
import tempfile
from pathlib import Path

import pytest

from wavebind.core.cache import cache_folder, cache_limit, make_room
from wavebind.core.errors import InputError


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


def test_the_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_a_folder_that_cannot_be_made_is_replaced_and_said(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING, logger="wavebind"):
        found = cache_folder()
    assert found.parent == tmp_path / "tmp"
    assert found.is_dir()
    (line,) = caplog.messages
    assert "the cache cannot be used" in line
    assert "set WAVEBIND_CACHE to a folder that can be written" in line


def test_a_missing_home(tmp_path, monkeypatch):
    def no_home() -> Path:
        raise RuntimeError

    for name in ("WAVEBIND_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder().parent == tmp_path / "tmp"


def _entries(folder, sizes):
    folder.mkdir()
    for age, (name, size) in enumerate(sizes.items()):
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, (1e9 + age, 1e9 + age))


def test_the_files_used_longest_ago_make_room(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "features"
    _entries(folder, {"old": 400, "middle": 400, "new": 100, ".writing": 5000})
    monkeypatch.setenv("WAVEBIND_CACHE_GB", "1e-6")
    assert make_room(folder, 100) == 0
    os.utime(folder / "old")  # used just now
    with caplog.at_level(logging.WARNING, logger="wavebind"):
        assert make_room(folder, 200) == 1
    assert sorted(p.name for p in folder.iterdir()) == [".writing", "new", "old"]
    assert "1 computed files that were used longest ago are removed" in caplog.text
    assert make_room(folder, 5000) == 2, "one larger than the limit gets its place"


@pytest.mark.parametrize("text", ["0", "-1", "much", "nan", "inf"])
def test_a_size_of_the_cache_that_is_none(text, monkeypatch):
    monkeypatch.setenv("WAVEBIND_CACHE_GB", text)
    with pytest.raises(InputError, match="a positive number; found"):
        cache_limit()


def test_the_size_of_the_cache_is_20_gb(monkeypatch):
    monkeypatch.delenv("WAVEBIND_CACHE_GB", raising=False)
    assert cache_limit() == 20 * 10**9
