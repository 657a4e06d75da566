"""CIDs are those of the reference importer, in each profile."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from notarium.evidence.ipfs import Cid, Profile, cid_of, profile_of

REFERENCE = Path(__file__).parent / "ipfs"
PART = 1024 * 1024
NODE_OF_174 = 174 * 256 * 1024
HELLO = b"hello world\n"


def content(size):
    """What `ipfs/cids.js` makes."""
    for at in range(0, size, PART):
        yield bytes(((at + i) * 31 + ((at + i) >> 8)) & 255 for i in range(min(PART, size - at)))


@pytest.mark.parametrize(
    ("size", "profile", "cid"),
    [
        (0, Profile.V0_2015, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
        (0, Profile.V1_2025, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    ],
)
def test_the_empty_file(size, profile, cid):
    assert str(cid_of(content(size), profile)) == cid


def test_a_small_file_as_everyone_knows_it(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(HELLO)
    known = {
        "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o": Profile.V0_2015,
        "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4": Profile.V1_2025,
    }
    for text, profile in known.items():
        assert str(Cid.parse(text)) == text
        assert profile_of(path, Cid.parse(text)) is profile
    path.write_bytes(HELLO + b"!")
    assert [profile_of(path, Cid.parse(text)) for text in known] == [None, None]


def test_how_the_content_arrives_does_not_matter():
    whole = b"".join(content(700_000))
    pieces = [whole[at : at + 999] for at in range(0, len(whole), 999)]
    for profile in Profile:
        assert cid_of([whole], profile) == cid_of(pieces, profile)
    assert not cid_of([whole], Profile.V0_2015).is_of_bytes
    assert cid_of([whole], Profile.V1_2025).is_of_bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm" + "0" * 44,
        "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5",
        "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei",
        "bafyreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4",
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
    ],
)
def test_what_is_no_cid_of_a_file_is_refused(text):
    with pytest.raises(ValueError, match="CID"):
        Cid.parse(text)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_the_reference_importer_gives_the_same(tmp_path):
    shutil.copytree(REFERENCE, tmp_path / "reference")
    installed = subprocess.run(["npm", "ci", "--silent"], cwd=tmp_path / "reference", check=False, timeout=300)
    if installed.returncode:
        pytest.skip("npm cannot get the reference importer here")
    sizes = (0, 1, 262143, 262144, 262145, PART, PART + 1, NODE_OF_174, NODE_OF_174 + 1)
    asked = [(size, profile) for size in sizes for profile in Profile]
    names = {Profile.RAW_LEAVES: None}
    question = json.dumps([(size, names.get(profile, profile.title)) for size, profile in asked])
    said = subprocess.run(
        ["node", "cids.js", question],
        cwd=tmp_path / "reference",
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    parts = {size: list(content(size)) for size in sizes}
    assert [str(cid_of(parts[size], profile)) for size, profile in asked] == said.stdout.split()
