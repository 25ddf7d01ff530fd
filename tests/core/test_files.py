import bz2
import errno
import gzip
import lzma
import os
import stat
import threading

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
        path.write_bytes(b"\x80\xff\x00\x01")
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


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            b"\x26\xfc\x8f\x88" + bytes(60),
            "is a bigWig, and text is needed here; .*bigWigToBedGraph",
        ),
        (b"\xeb\xf2\x89\x87" + bytes(60), "is a bigBed, .*'bigBedToBed'"),
        (bz2.compress(b"chr1\t1\t2\n"), "is packed with bzip2, .*'bunzip2'"),
        (lzma.compress(b"chr1\t1\t2\n"), "is packed with xz, .*'unxz'"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "is packed with zstd, .*'unzstd'"),
        (b"PK\x03\x04" + bytes(20), "is a zip archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "is an Excel workbook"),
        (gzip.compress(b"BAM\x01" + bytes(20)), "is a BAM file"),
        ("chr1\t1\t2\n".encode("utf-16"), "is text in UTF-16"),
    ],
)
def test_binary_files_are_named_with_the_tool_that_opens_them(tmp_path, head, message):
    path = tmp_path / "peaks.bed"
    path.write_bytes(head)
    with pytest.raises(InputError, match=message):
        list(read_lines(path))


def test_a_byte_order_mark_is_no_letter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffchr1\nb\n".encode())
    assert list(read_lines(path)) == [(1, "chr1"), (2, "b")]


def test_bytes_of_latin_1_where_they_are_taken(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(">g\xe8ne 1\n".encode("latin-1") + ">g\xe8ne\n".encode())
    assert [line for _, line in read_lines(path, latin_1=True)] == [">g\xe8ne 1", ">g\xe8ne"]
    with pytest.raises(InputError, match="not UTF-8 text"):
        list(read_lines(path))


def test_a_pipe_that_was_read_is_said_to_be_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.open("w").close())
    feeder.start()
    with pytest.raises(InputError, match="nothing came out of this pipe"):
        list(read_lines(pipe))
    feeder.join()


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "scores.tsv").write_text("old")
    link = tmp_path / "scores.tsv"
    link.symlink_to(tmp_path / "disk" / "scores.tsv")
    with replace_file(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "scores.tsv").read_text() == "new"


def test_a_disk_that_fails_while_it_is_read(tmp_path, monkeypatch):
    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"chr1\n"))
    monkeypatch.setattr(gzip.GzipFile, "peek", failing)
    with pytest.raises(InputError, match=r"cannot be read \(Input/output error\)"):
        list(read_lines(path))
