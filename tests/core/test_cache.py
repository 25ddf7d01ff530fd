"""Where the cache lies, and what takes its place."""

import logging
import tempfile
from pathlib import Path

import pytest

from wavebind.core.cache import cache_folder


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
