"""Downloads from a server on this machine that breaks off, lies and serves garbage."""

from __future__ import annotations

import pytest

from file_server import ACCESSION, DATA, FILE, MD5, Server, serving
from wavebind.core import download as downloads
from wavebind.core.download import RemoteFile, download
from wavebind.core.errors import InputError
from wavebind.genome.fetch import encode_file, ucsc_genome


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def url(server):
    with serving(server) as address:
        yield address


def get(url, tmp_path, **options):
    return download(encode_file(ACCESSION, url), tmp_path, wait=0.0, **options)


def test_an_encode_file(cli, server, url, tmp_path):
    code, out, err = cli("fetch", ACCESSION, "--encode-url", url, "--out", tmp_path)
    assert code == 0, err
    path = tmp_path / f"{ACCESSION}.bed.gz"
    assert out.strip() == str(path)
    assert path.read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    # What is there is not asked for again.
    before = len(server.asked)
    assert cli("fetch", ACCESSION, "--encode-url", url, "--out", tmp_path)[0] == 0
    assert server.asked[before:] == [(f"/files/{ACCESSION}/", "")]


def test_a_genome(cli, server, url, tmp_path, monkeypatch):
    server.documents["/goldenPath/hg0/bigZips/md5sum.txt"] = (
        f"{MD5}  hg0.2bit\n{'0' * 32} *hg0.fa.gz\nnonsense\n".encode()
    )
    monkeypatch.setenv("WAVEBIND_UCSC_URL", url)
    code, out, err = cli("fetch", "genome", "hg0", "--out", tmp_path)
    assert code == 0, err
    assert out.strip() == str(tmp_path / "hg0.2bit")
    assert (tmp_path / "hg0.2bit").read_bytes() == DATA
    code, _, err = cli("fetch", "genome", "hg0", "--format", "fa.gz", "--out", tmp_path)
    assert code == 1
    assert f"has MD5 {MD5}, and it announced {'0' * 32}; nothing was kept" in err
    code, _, err = cli("fetch", "genome", "hg9", "--out", tmp_path)
    assert code == 1
    assert "the server has no such document (404); check the name" in err
    server.documents["/goldenPath/hg1/bigZips/md5sum.txt"] = f"{MD5}  hg1.fa.gz\n".encode()
    with pytest.raises(InputError, match=r"has no checksum of hg1.2bit; it lists hg1.fa.gz"):
        ucsc_genome("hg1", url)
    server.documents["/goldenPath/hg1/bigZips/md5sum.txt"] = b"<html>welcome</html>"
    with pytest.raises(InputError, match=r"holds no MD5; is .* a UCSC server"):
        ucsc_genome("hg1", url)


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(server, url, tmp_path):
    server.cuts = [1_000_000, 500_001, 0]
    seen = []
    path = get(url, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA
    asked = [r for p, r in server.asked if p == FILE]
    starts = [int(r[6:-1]) if r else 0 for r in asked]
    assert starts[0] == 0
    assert 1_000_000 - 2**16 < starts[1] <= 1_000_000
    assert starts[1] + 500_001 - 2**16 < starts[2] == starts[3]
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_second_command_goes_on_where_the_first_gave_up(server, url, tmp_path):
    server.cuts = [2**17, 0]
    with pytest.raises(
        InputError, match=r"2 times at one place; 131,072 bytes are kept in .*\.part, run the"
    ):
        get(url, tmp_path, attempts=2)
    assert [p.suffix for p in tmp_path.iterdir()] == [".part"]
    assert get(url, tmp_path).read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=131072-"


def test_a_server_without_ranges_sends_all_again(server, url, tmp_path):
    server.cuts = [100_000]
    server.ranges = False
    assert get(url, tmp_path).read_bytes() == DATA


def test_a_server_in_trouble_is_asked_again(server, url, tmp_path):
    file = encode_file(ACCESSION, url)
    server.status = [503, 500]
    assert download(file, tmp_path, wait=0.0).read_bytes() == DATA
    (tmp_path / file.name).unlink()
    server.status = [503] * 5
    with pytest.raises(InputError, match="503 Service Unavailable, 5 times at one place"):
        download(file, tmp_path, wait=0.0)
    server.status = [403]
    with pytest.raises(InputError, match="the server answers 403"):
        download(file, tmp_path, wait=0.0)


def test_garbage_is_not_kept(server, url, tmp_path):
    server.data = b"x" * len(DATA)
    with pytest.raises(InputError, match=f"has MD5 .*, and it announced {MD5}; nothing was kept"):
        get(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("announced", [len(DATA) + 5, len(DATA) - 5, 10**13])
def test_a_server_that_lies_about_the_size(server, url, tmp_path, announced):
    server.announce = announced
    with pytest.raises(InputError, match=rf"announced 3,000,000 bytes and now sends {announced:,}"):
        get(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_on_the_server_is_begun_anew(server, url, tmp_path):
    part = tmp_path / f"{ACCESSION}.bed.gz.part"
    part.write_bytes(b"y" * (len(DATA) + 3))
    assert get(url, tmp_path).read_bytes() == DATA
    (tmp_path / f"{ACCESSION}.bed.gz").unlink()
    part.write_bytes(b"y" * 1000)
    with pytest.raises(InputError, match="nothing was kept, try again"):
        get(url, tmp_path)
    assert get(url, tmp_path).read_bytes() == DATA


def test_a_range_beyond_the_end(server, url, tmp_path):
    file = RemoteFile(f"{url}{FILE}", "f", None, MD5)
    (tmp_path / "f.part").write_bytes(DATA)
    assert download(file, tmp_path, wait=0.0).read_bytes() == DATA
    (tmp_path / "f").unlink()
    (tmp_path / "f.part").write_bytes(b"z" * len(DATA))
    assert download(file, tmp_path, wait=0.0).read_bytes() == DATA


def test_a_file_in_the_way(url, tmp_path):
    (tmp_path / f"{ACCESSION}.bed.gz").write_text("mine")
    with pytest.raises(InputError, match="is there already and is not the server's file"):
        get(url, tmp_path)
    assert (tmp_path / f"{ACCESSION}.bed.gz").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        get(url, tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accession": "ENCFF999ZZZ"}, "the answer does not describe ENCFF001ABC"),
        ({"file_size": "big"}, "lacks its address, size or MD5"),
        ({"file_size": -1}, "lacks its address, size or MD5"),
        ({"md5sum": "../../x"}, "lacks its address, size or MD5"),
        ({"href": "http://elsewhere.example/x"}, "is on another server"),
        ({"href": "//elsewhere.example/x"}, "is on another server"),
        ({"href": "/files/../../.bashrc"}, "the file's name '.bashrc' is not that of"),
        ({"href": "/files/other.bed"}, "the file's name 'other.bed' is not that of"),
    ],
)
def test_descriptions_that_are_not_believed(server, url, change, message):
    server.description.update(change)
    with pytest.raises(InputError, match=message):
        encode_file(ACCESSION, url)


def test_answers_that_are_no_descriptions(server, url, monkeypatch):
    server.documents[f"/files/{ACCESSION}/"] = b"<html>down for maintenance</html>"
    with pytest.raises(InputError, match=r"the answer is not JSON; is .* an ENCODE server"):
        encode_file(ACCESSION, url)
    server.documents[f"/files/{ACCESSION}/"] = b"[]"
    with pytest.raises(InputError, match="does not describe"):
        encode_file(ACCESSION, url)
    monkeypatch.setattr(downloads, "_MAX_METADATA", 100)
    server.documents[f"/files/{ACCESSION}/"] = b"{" * 1000
    with pytest.raises(InputError, match="the answer is larger than 100 bytes"):
        encode_file(ACCESSION, url)
    server.status = [403, 500]
    with pytest.raises(InputError, match=r"access is refused \(403\)"):
        encode_file(ACCESSION, url)
    with pytest.raises(InputError, match="the server answers 500"):
        encode_file(ACCESSION, url)


def test_without_a_network(cli, server, tmp_path):
    with serving(server) as address:
        pass
    code, out, err = cli("fetch", ACCESSION, "--encode-url", address, "--out", tmp_path / "x")
    assert code == 1
    assert "cannot be reached" in err
    assert "check the network, or the base address that was set" in err
    assert "object at 0x" not in err
    assert out == ""
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ENCFF12"], "'ENCFF12': is not an accession of an ENCODE file"),
        (["../etc"], "is not an accession"),
        (["genome", "hg/../38"], "is not the name of an assembly"),
        (["genome", "hg38", "--format", "zip"], "format 'zip' is not known"),
        ([ACCESSION, "--encode-url", "file:///etc"], "is not a web address"),
    ],
)
def test_names_that_are_none(cli, arguments, message):
    code, _, err = cli("fetch", *arguments)
    assert code == 1
    assert message in err


def test_a_genome_without_a_name(cli):
    code, _, err = cli("fetch", "genome")
    assert code == 2
    assert "needs the name of an assembly" in err
