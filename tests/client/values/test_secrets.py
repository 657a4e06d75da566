"""Secrets are left out: a salted digest stands in their place, and a notice says so."""

import hashlib

import pytest

from notarium.values import secrets as module
from notarium.values.secrets import Secrets, digest_of

LONG = "correct-horse-battery"


def test_a_digest_that_the_owner_can_repeat_stands_in_the_place():
    secrets = Secrets()
    shown = secrets.text(f"https://jane:{LONG}@example.org", "the remote")
    digest = hashlib.scrypt(LONG.encode(), salt=bytes.fromhex(secrets.salt), n=2**14, r=8, p=1, dklen=16).hex()
    assert shown == f"https://jane:[secret scrypt:{digest}]@example.org"
    assert secrets.notices == ["a secret is left out of the remote: it looks like a password in a URL"]


def test_equal_secrets_are_equal_in_one_record_and_in_no_other():
    one, other = Secrets(), Secrets()
    assert one.named("token", LONG, "a") == one.named("password", LONG, "b")
    assert one.named("token", LONG, "a") != other.named("token", LONG, "a")
    assert Secrets(one.salt).named("token", LONG, "a") == one.named("token", LONG, "a")


def test_a_secret_that_could_be_guessed_has_no_digest():
    assert Secrets().named("password", "hunter2", "x") == "[secret]"
    assert Secrets().named("password", 1234, "x") == "[secret]"


def test_many_secrets_do_not_hold_up_a_run(monkeypatch):
    made: list[str] = []

    def digested(secret, salt):
        made.append(secret)
        return "ab"

    monkeypatch.setattr(module, "digest_of", digested)
    secrets = Secrets()
    shown = [secrets.named("token", f"{LONG}-{number}", f"x[{number}]") for number in range(100)]
    assert len(made) == module.MAX_DIGESTED
    assert shown[-1] == "[secret]"
    assert len(secrets.notices) == 100


def test_without_scrypt_there_is_no_digest(monkeypatch):
    monkeypatch.delattr(hashlib, "scrypt")
    assert digest_of(LONG, bytes(32)) == ""
    assert Secrets().named("token", LONG, "x") == "[secret]"


def test_what_was_left_out_once_stays_as_it_is():
    secrets = Secrets()
    once = secrets.text(f"password={LONG} https://u:{LONG}@h", "x")
    assert Secrets().text(once, "x") == once
    assert Secrets().named("password", secrets.named("password", LONG, "x"), "x").startswith("[secret scrypt:")


@pytest.mark.parametrize("value", [1, None, True, 0.5, "plain"])
def test_everything_else_stays(value):
    secrets = Secrets()
    assert secrets.named("x", value, "x") is value or secrets.named("x", value, "x") == value
    assert (secrets.notices, secrets.salt) == ([], "")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["fit", "--password", "hunter2", "--n", "3"], ["fit", "--password", "[secret]", "--n", "3"]),
        (["fit", "--password=hunter2"], ["fit", "--password=[secret]"]),
        (["env", "DB_PASSWORD=hunter2", "fit"], ["env", "DB_PASSWORD=[secret]", "fit"]),
        (["fit", "db.password=hunter2"], ["fit", "db.password=[secret]"]),
        (["docker", "-e", "API_KEY=abc123def4", "x"], ["docker", "-e", "API_KEY=[secret]", "x"]),
        (["curl", "-u", "x", "http://u:pw@h"], ["curl", "-u", "x", "http://u:[secret]@h"]),
        (["fit", "--tokenizer", "bert", "--max-tokens", "512"], ["fit", "--tokenizer", "bert", "--max-tokens", "512"]),
        (["fit", "--password"], ["fit", "--password"]),
        ([], []),
    ],
)
def test_command_lines(command, shown):
    assert Secrets().command(command) == shown


def test_a_secret_that_is_not_utf8():
    assert Secrets().named("password", "\udcff" * 20, "x").startswith("[secret scrypt:")


def test_a_salt_that_is_none_is_not_used():
    assert len(bytes.fromhex(digests := made_with("no salt"))) == 32
    assert digests != made_with("no salt")


def made_with(salt):
    secrets = Secrets(salt)
    secrets.named("password", LONG, "x")
    return secrets.salt


def test_each_notice_is_given_once():
    heard: list[str] = []
    secrets = Secrets(on_notice=heard.append)
    for _ in range(2):
        secrets.named("password", LONG, "x")
    secrets.named("password", LONG, "y")
    assert (
        heard
        == secrets.notices
        == [f"a secret is left out of {each}: its name says that it is a secret" for each in "xy"]
    )


def test_nested_facts():
    secrets = Secrets()
    shown = secrets.nested(
        {
            "n": 1,
            "login": {"password": "hunter2", "user": "jane"},
            "credentials": {"value": ["hunter2", 7]},
            "command": ["fit", "--password", "hunter2"],
            "mixed": [1, {"token": "hunter2-hunter2"}],
            "password=hunter2": {"password": "another"},
        },
        "the facts",
    )
    assert "hunter2" not in str(shown)
    assert "hunter2" not in str(secrets.notices)
    assert shown["password=[secret]"] == {"password": "[secret]"}
    assert (shown["n"], shown["login"]["user"]) == (1, "jane")
    assert shown["command"] == ["fit", "--password", "[secret]"]
    assert "a secret is left out of the facts.login.password: its name says that it is a secret" in secrets.notices
