"""What is referred to has one form, and what is not known of it is said."""

import base64
import hashlib

import pytest

from notarium.errors import ProjectError
from notarium.evidence.references import refer

HELLO = b"hello world\n"
SHA256 = hashlib.sha256(HELLO).hexdigest()
V0 = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"
V1 = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
UNKNOWN = "no SHA-256 of its content is known here, so it may be another one by now"


@pytest.fixture
def hello(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(HELLO)
    return path


@pytest.mark.parametrize(
    ("text", "uri", "kind"),
    [
        ("10.5281/zenodo.1234", "https://doi.org/10.5281/zenodo.1234", "doi"),
        ("doi:10.5281/ZENODO.1234", "https://doi.org/10.5281/zenodo.1234", "doi"),
        ("http://dx.doi.org/10.1000/a(b)", "https://doi.org/10.1000/a(b)", "doi"),
        (V0, f"ipfs://{V0}", "ipfs"),
        (f"/ipfs/{V1}/a/b", f"ipfs://{V1}/a/b", "ipfs"),
        ("s3://bucket/a/key.csv", "s3://bucket/a/key.csv", "s3"),
        ("https://example.org/x.csv?page=2", "https://example.org/x.csv?page=2", "uri"),
        ("urn:isbn:0451450523", "urn:isbn:0451450523", "uri"),
    ],
)
def test_every_kind_has_one_form(text, uri, kind):
    said, _ = refer(text, "input")
    assert (said["uri"], said["kind"], said["role"]) == (uri, kind, "input")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data.csv",
        "/data",
        "C:\\data",
        "http://",
        "https://x\n.org",
        "https://[x",
        "ipfs://nonsense",
        f"ipfs://{V1[:-1]}",
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ProjectError):
        refer(text, "input")


def test_without_a_digest_it_is_a_gap():
    for text in ("doi:10.5281/zenodo.1", "https://example.org/x", "s3://bucket/key"):
        said, gaps = refer(text, "input")
        assert gaps == [f"input {said['uri']}: {UNKNOWN}"]
        assert refer(text, "input", sha256=f"sha256:{SHA256}")[1] == []
    with pytest.raises(ProjectError, match="no SHA-256"):
        refer("https://example.org/x", "input", sha256="d41d8cd98f00b204e9800998ecf8427e")


def test_secrets_in_it_are_left_out():
    said, gaps = refer("https://me:pass@example.org/x?X-Amz-Signature=abc&a=b", "input", sha256=SHA256)
    assert said["uri"] == "https://example.org/x"
    assert len(gaps) == 2
    assert "pass" not in str(said) + str(gaps).replace("password", "")
    assert "abc" not in str(said) + str(gaps)


def test_a_copy_is_compared(hello):
    said, gaps = refer("doi:10.5281/zenodo.1", "input", copy=hello)
    assert (said["sha256"], said["copy"], gaps) == (SHA256, SHA256, [])
    said, gaps = refer("doi:10.5281/zenodo.1", "input", sha256="ab" * 32, copy=hello)
    assert (said["sha256"], said["copy"]) == ("ab" * 32, SHA256)
    assert "another one" in gaps[0]
    with pytest.raises(ProjectError, match="is a folder"):
        refer("doi:10.5281/zenodo.1", "input", copy=hello.parent)


def test_a_cid_is_compared_in_the_profile_that_gives_it(hello):
    said, gaps = refer(V0, "input", copy=hello)
    assert (said["profile"], said["sha256"], gaps) == ("unixfs-v0-2015", SHA256, [])
    said, gaps = refer(V1, "input", copy=hello)
    assert (said["sha256"], gaps) == (SHA256, []), "one raw leaf: its digest is that of the file"
    hello.write_bytes(b"another")
    for cid in (V0, V1):
        assert "another one" in refer(cid, "input", copy=hello)[1][0]
    said, gaps = refer(f"ipfs://{V0}/a", "input", copy=hello)
    assert "was not compared" in gaps[0]
    assert refer(V0, "input")[1] == [], "a CID says which content it is"


def answer(**over):
    checksum = base64.b64encode(bytes.fromhex(SHA256)).decode()
    return {"ContentLength": 12, "ETag": '"5d41"', "VersionId": "v1", "ChecksumSHA256": checksum, **over}


def test_what_s3_says():
    said, gaps = refer("s3://bucket/key", "input", s3=answer(ChecksumType="FULL_OBJECT"))
    assert gaps == []
    assert (said["version"], said["size"], said["sha256"], said["digests"]) == ("v1", 12, SHA256, {"etag": "5d41"})


@pytest.mark.parametrize(
    ("over", "gap"),
    [
        ({"VersionId": "null"}, "keeps no version"),
        ({"VersionId": None}, "keeps no version"),
        ({"ChecksumSHA256": None}, "has no SHA-256"),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode() + "-3"}, "of its parts"),
        ({"ChecksumType": "COMPOSITE"}, "of its parts"),
    ],
)
def test_what_s3_does_not_say_is_a_gap(over, gap):
    said, gaps = refer("s3://bucket/key", "input", s3=answer(**over))
    assert any(gap in each for each in gaps)
    assert ("sha256" in said) == ("VersionId" in over), "a checksum of parts is not the digest of the content"


def test_an_answer_of_s3_that_contradicts_or_belongs_elsewhere():
    _, gaps = refer("s3://bucket/key", "input", s3=answer(), sha256="ab" * 32)
    assert "another SHA-256" in gaps[0]
    with pytest.raises(ProjectError, match="not an object in S3"):
        refer("https://example.org/x", "input", s3=answer())
    for odd in ("!", "é", "QQ"):
        with pytest.raises(ProjectError, match="not base64"):
            refer("s3://bucket/key", "input", s3=answer(ChecksumSHA256=odd))
