"""Names that say that a value is a secret, and names that look so and say nothing of the kind."""

import pytest

from notarium.values.secret_names import may_name_a_secret, names_a_password, names_a_secret

VALUE = "q7Zk29xLmP04"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_password",
        "dbPassword",
        "DB_PASSWD",
        "pwd",
        "ssh-passphrase",
        "password2",
        "client_secret",
        "secret",
        "aws_secret_access_key",
        "AWS_ACCESS_KEY_ID".removesuffix("_ID"),
        "api_key",
        "apiKey",
        "APIKey",
        "apikey",
        "OPENAI_API_KEY",
        "x-api-key",
        "private_key",
        "encryption-key",
        "AccountKey",
        "SharedAccessKey",
        "token",
        "hf_token",
        "GITHUB_TOKEN",
        "access-token",
        "refreshToken",
        "bearer",
        "Authorization",
        "connection_string",
        "ConnectionString",
        "sentry_dsn",
        "smtp_pass",
        "credentials",
        "wandb_api_keys",
    ],
)
def test_names_of_secrets(name):
    assert may_name_a_secret(name)
    assert names_a_secret(name, VALUE)


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer",
        "token_type",
        "pad_token",
        "eos_token",
        "bosToken",
        "special_tokens",
        "image_token",
        "max_tokens",
        "token_id",
        "sort_key",
        "key",
        "primary_key",
        "foreign_keys",
        "keys",
        "keyboard",
        "password_file",
        "password_length",
        "api_key_name",
        "secret_name",
        "secretary",
        "passes",
        "n_pass",
        "forward_pass",
        "compass",
        "author",
        "auth",
        "public_key",
        "",
        "123",
    ],
)
def test_names_of_other_things(name):
    assert not names_a_secret(name, VALUE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("use_password", True),
        ("password", None),
        ("password", ""),
        ("token", 512),
        ("num_secrets", 3),
        ("secrets", 3),
        ("api_key", "none"),
        ("api_key", "EMPTY"),
        ("api_key", "${oc.env:API_KEY}"),
        ("api_key", "$API_KEY"),
        ("api_key", "OPENAI_API_KEY"),
        ("token", "<image>"),
        ("token", "[CLS]"),
        ("token", "the first of each line"),
        ("password", "********"),
        ("private_key", "~/.ssh/id_ed25519"),
        ("private_key", "keys/node.pem"),
        ("credentials", "/run/secrets/google.json"),
        ("token", "short"),
        ("password", [1, 2]),
    ],
)
def test_values_that_are_no_secrets_under_any_name(name, value):
    assert not names_a_secret(name, value)


def test_a_password_is_one_however_short_and_even_as_a_number():
    assert names_a_secret("password", "x")
    assert names_a_secret("password", 1234)
    assert names_a_password("my_pwd")
    assert not names_a_password("api_key")
