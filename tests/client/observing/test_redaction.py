"""What a URL or a variable must not carry into a record."""

import pytest

from notarium.observing.redaction import public_url, without_folders


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://github.com/lab/study.git", "https://github.com/lab/study.git"),
        ("https://user:token@github.com/lab/study.git", "https://github.com/lab/study.git"),
        ("https://token@host:8443/x?private_token=abc#frag", "https://host:8443/x"),
        ("ssh://person@host/lab/study.git", "ssh://host/lab/study.git"),
        ("git@github.com:lab/study.git", "github.com:lab/study.git"),
        ("host:lab/study.git", "host:lab/study.git"),
        (
            "https://conda.example/t/secret-token/channel/noarch/a.conda",
            "https://conda.example/t/<token>/channel/noarch/a.conda",
        ),
        ("file:///home/person/study", None),
        ("/home/person/study", None),
        ("../study", None),
        ("C:\\Users\\person\\study", None),
        ("https://user:token@[host/lab", None),
    ],
)
def test_a_url_loses_credentials_and_a_folder_is_not_one(url, public):
    assert public_url(url) == public


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "--xla_dump_to=/home/person/dump --xla_gpu_deterministic_ops=true",
            "--xla_dump_to=…/dump --xla_gpu_deterministic_ops=true",
        ),
        ("/home/person/a:/home/person/b", "…/a:…/b"),
        ("~/secret/x", "…/x"),
        (":4096:8", ":4096:8"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("0,1", "0,1"),
    ],
)
def test_an_absolute_path_keeps_its_last_name_only(text, shown):
    assert without_folders(text) == shown
