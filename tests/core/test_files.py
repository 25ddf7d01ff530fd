import errno
import gzip
import os
import stat

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines, replace_dir, replace_file, sha256


def test_lines_of_plain_and_gzipped_files_are_the_same(tmp_path):
    (tmp_path / "a").write_bytes(b"x\r\ny\n\nz")
    (tmp_path / "b").write_bytes(gzip.compress(b"x\r\ny\n\nz"))
    expected = [(1, "x"), (2, "y"), (3, ""), (4, "z")]
    assert list(read_lines(tmp_path / "a")) == expected
    assert list(read_lines(tmp_path / "b")) == expected


def bad_file(tmp_path, kind):
    path = tmp_path / "f"
    whole = gzip.compress(np.random.default_rng(1).bytes(5000).hex().encode())
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "damaged":
        path.write_bytes(whole[:40] + b"\0\0\0\0\0\0" + whole[46:])
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00\x01")
    elif kind == "empty gzip":
        path.write_bytes(gzip.compress(b""))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "the file is empty"),
        ("empty gzip", "the file is empty"),
        ("folder", "is a folder"),
        ("truncated", "the gzip data ends or breaks here"),
        ("damaged", "the gzip data ends or breaks here"),
        ("binary", "not UTF-8 text"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, kind, message):
    with pytest.raises(InputError, match=message):
        list(read_lines(bad_file(tmp_path, kind)))


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "long"
    path.write_text("short\n" + "A" * 1000)
    with pytest.raises(InputError, match="line 2: longer than 100 characters"):
        list(read_lines(path, max_line=100))


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "f").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail():
        with replace_file(path) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_ordinary_rights(tmp_path):
    with replace_file(tmp_path / "new" / "out.txt") as temporary:
        temporary.write_text("x")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new" / "out.txt").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "cannot be written: the disk is full"),
        (errno.EROFS, "cannot be written: the file system is read-only"),
        (errno.EACCES, "cannot be written: permission denied"),
    ],
)
@pytest.mark.parametrize("replace", [replace_file, replace_dir])
def test_a_disk_that_refuses(tmp_path, number, message, replace):
    with (
        pytest.raises(InputError, match=message),
        replace(tmp_path / "out"),
    ):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    with pytest.raises(InputError, match="a file"), replace_file(tmp_path / "f" / "out"):
        pass


def test_replace_dir_replaces_only_its_own(tmp_path):
    out = tmp_path / "d"
    with replace_dir(out, marker="m") as folder:
        (folder / "m").write_text("1")
    with pytest.raises(InputError, match="exists already"), replace_dir(out, marker="m"):
        pass
    with replace_dir(out, overwrite=True, marker="m") as folder:
        (folder / "m").write_text("2")
    assert (out / "m").read_text() == "2"
    other = tmp_path / "precious"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    with (
        pytest.raises(InputError, match="holds no m, so it is not replaced"),
        replace_dir(other, overwrite=True, marker="m"),
    ):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "precious"]
