"""Texts that look like secrets, and texts that look so and are none. No secret here is a real one."""

import pytest

from notarium.values.secret_shapes import find

MIXED = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"


def drawn(length: int) -> str:
    """Letters and digits, as a machine draws them."""
    return (MIXED * (length // len(MIXED) + 1))[:length]


TOKENS = [
    "AKIA" + "ABCD2345EFGH6723",
    "ASIA" + "ABCD2345EFGH6723",
    *(prefix + drawn(36) for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    *(prefix + drawn(20) for prefix in ("glpat-", "gldt-", "glrt-", "glptt-")),
    *(prefix + drawn(24) for prefix in ("xoxb-", "xoxp-", "xoxa-", "xapp-")),
    "hooks.slack.com/services/" + "T0123ABCD/B0123ABCD/" + drawn(24),
    "hf_" + drawn(34),
    "wandb_v1_" + drawn(40),
    "AIza" + drawn(35),
    "ya29." + drawn(40),
    "GOCSPX-" + drawn(28),
    "npm_" + drawn(36),
    "pypi-AgE" + drawn(60),
    "sk_live_" + drawn(24),
    "rk_live_" + drawn(24),
    "SG." + drawn(22) + "." + drawn(43),
    "dop_v1_" + "0a" * 32,
    "dapi" + "0a" * 16,
    "hvs." + drawn(24),
    "dckr_pat_" + drawn(27),
    "gsk_" + drawn(52),
    "r8_" + drawn(37),
    "ATATT3" + drawn(60),
    "glsa_" + drawn(40),
    "AGE-SECRET-KEY-1" + "QPZRY9X8" * 7,
    "sk-" + drawn(48),
    "sk-proj-" + drawn(48),
    "sk-ant-api03-" + drawn(48),
    "eyJ" + drawn(20) + ".eyJ" + drawn(40) + "." + drawn(43),
    "notarium-key-v1 researcher " + drawn(43) + "=",
]
KEY_BLOCK = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----"


def hidden(text: str) -> str:
    """`text` with a star in the place of each secret."""
    done, parts = 0, []
    for span in find(text):
        parts += [text[done : span.start], "*"]
        done = span.end
    return "".join([*parts, text[done:]])


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "use {} now", "x={};y=1", '{{"v": "{}"}}', "https://example.org/{}/x"])
def test_tokens_of_known_services(token, around):
    text = around.format(token)
    assert token not in hidden(text)
    assert len(hidden(text)) <= len(around) + 4, "and nothing else is left out"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"x {KEY_BLOCK} y", "x * y"),
        (KEY_BLOCK[:60], "*"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", "*"),
        ("postgresql://jane:pw@db.example.org:5432/x", "postgresql://jane:*@db.example.org:5432/x"),
        ("mongodb+srv://u:p@ss@host/db", "mongodb+srv://u:*@host/db"),
        ("redis://:pw@localhost:6379/0", "redis://:*@localhost:6379/0"),
        ("https://u:a/b@host/x", "https://u:*@host/x"),
        (f"https://{drawn(20)}@github.com/x/y.git", "https://*@github.com/x/y.git"),
        ("https://x-access-token:abc@github.com/x", "https://x-access-token:*@github.com/x"),
        ("https://h/?a=1&token=abc1234567&b=2", "https://h/?a=1&token=*&b=2"),
        ("https://h/?api_key=abc1234567", "https://h/?api_key=*"),
        (
            f"https://b.s3.amazonaws.com/x?X-Amz-Signature={'0a' * 32}&y=1",
            "https://b.s3.amazonaws.com/x?X-Amz-Signature=*&y=1",
        ),
        (f"https://x.blob.core.windows.net/c?sp=r&sig={drawn(40)}%3D", "https://x.blob.core.windows.net/c?sp=r&sig=*"),
        (
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abc123def456==;EndpointSuffix=y",
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=*;EndpointSuffix=y",
        ),
        ("Server=db;User Id=sa;Password=x y;", "Server=db;User Id=sa;Password=* y;"),
        ("host=h user=u password=hunter2 dbname=d", "host=h user=u password=* dbname=d"),
        ('{"password": "hunter 2", "n": 1}', '{"password": "*", "n": 1}'),
        ("{'api_key': 'abc123def'}", "{'api_key': '*'}"),
        ("password: hunter2", "password: *"),
        ("--password=hunter2 --n=3", "--password=* --n=3"),
        ("PGPASSWORD=x psql", "PGPASSWORD=* psql"),
        ("DB_PASSWORD=x psql", "DB_PASSWORD=* psql"),
        (f"Authorization: Bearer {drawn(30)}", "Authorization: Bearer *"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic *"),
        ("token=abc123&password=x", "token=*&password=*"),
    ],
)
def test_keys_connection_strings_and_assignments(text, expected):
    assert hidden(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 64,
        "9e107d9d372bb6826bd81d3542a419d6",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "commit 1234567890abcdef1234567890abcdef12345678",
        "550e8400-e29b-41d4-a716-446655440000",
        "doi:10.5281/zenodo.1234567",
        "s3://bucket/prefix/file-0001.parquet",
        "https://example.org:8443/@scope/package",
        "http://localhost:8080/x@y",
        "https://jane@example.org/x",
        "git@github.com:org/repo.git",
        "ssh://git@github.com/org/repo.git",
        "docker://image:tag@sha256:" + "0a" * 32,
        "jane.doe@example.org",
        "/home/jane/data: 3 files",
        "sk-learn-pipeline-with-random-forest-and-scaling",
        "task-sk-learn",
        "hf_model_name",
        "hf_hub_download(repo_id='x/y')",
        "ghp_short",
        "eyJustAWord.and.another",
        "AKIAwhatever",
        "AIzawa",
        "npm_config_cache=/x",
        "--tokenizer bert-base-uncased --max-tokens=512",
        "pad_token=[PAD] eos_token=</s>",
        "the token: unknown",
        "sort_key=patient_id",
        "api_key=${API_KEY}",
        "password=$PASSWORD",
        "password_file=/run/secrets/x",
        "lr=0.001 batch_size=32 signature=v1",
        "bearer of bad news",
        "a basic introduction",
        "2026-11-28T17:32:38Z",
        "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24=",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcLk jane",
    ],
)
def test_texts_that_are_no_secrets(text):
    assert find(text) == []


def test_what_a_secret_looks_like_is_said():
    assert [each.what for each in find("https://u:pw@h hf_" + drawn(34))] == [
        "a password in a URL",
        "a token of Hugging Face",
    ]


def test_the_longest_of_two_that_overlap_is_left_out():
    token = "ghp_" + drawn(36)
    assert hidden(f"https://u:{token}@host") == "https://u:*@host"
    assert hidden(f"password={token}") == "password=*"
