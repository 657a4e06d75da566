"""Names that say that a value is a secret: `password`, `db_passwd`, `OPENAI_API_KEY`, `github-token`.

A name is judged by its last words, because those say what it holds: `password_file` is a path, `max_tokens` a number,
`pad_token` a word of a vocabulary, `sort_key` the name of a column.
"""

from __future__ import annotations

import re
from typing import Any, Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_PASSWORDS: Final = _words("password passwd passphrase passcode pwd secret secrets credential credentials")
"""Their values are secrets even where they are short, or numbers."""
_ALWAYS: Final = _words(
    "apikey apikeys accesskey secretkey privatekey authtoken accesstoken authorization jwt dsn connstr connectionstring"
)
_TOKEN: Final = frozenset(("token", "tokens", "bearer"))
_NOT_BEFORE_TOKEN: Final = _words(
    "pad eos bos unk mask sep cls image img audio video stop start end special extra max min num n per begin "
    "prefix suffix middle decoder encoder prompt next first last target new additional separator padding unknown "
    "boundary class language lang word sub subword vocab forced suppress think thinking newline empty total input "
    "output generated completion context cached trigger placeholder register"
)
"""Words of tokenizers, whose tokens are no secrets."""
_BEFORE_KEY: Final = _words(
    "api secret private access account encryption signing ssh auth master client shared subscription deploy aws "
    "azure gcp openai anthropic wandb hf license hmac rsa ecdsa"
)
_BEFORE_PASS: Final = _words("db database user my pg smtp mail email ftp admin root login ldap proxy")

_MIN_LENGTH: Final = 6
_PLACEHOLDER: Final = re.compile(
    r"""\s*(?: none | null | nil | false | true | empty | dummy | changeme | change-me | redacted | todo | n/?a | unset
      | x{3,} | \*+ | \.+ | <[^<>]*> | \[[^\[\]]*\] | \{[^{}]*\} | %\(?\w+\)?s? | \$\w+ | \$\{[^}]*\} | \?\?\? )?\s*""",
    re.VERBOSE | re.IGNORECASE,
)
"""What stands where a secret will be filled in, or was left out."""


_PATH: Final = re.compile(
    r"(?:~|\.\.?)/.*|/(?:home|Users|root|run|etc|var|mnt|opt|tmp|secrets)/.*|[\w./\\-]+\.[a-z]{2,5}"
)
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""The name of an environment variable, where it stands in place of its value."""


def names_a_secret(name: str, value: Any) -> bool:
    """Whether what stands under `name` is a secret, judged by the name. A number is one only as a password."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int):
        return False
    last, before = _last_words(name)
    if not _says_so(last, before) or (isinstance(value, str) and _PLACEHOLDER.fullmatch(value)):
        return False
    if isinstance(value, int):
        return last in _PASSWORDS and not last.endswith("s")
    if last.startswith("credential") and _PATH.fullmatch(value):
        return False
    if last in _PASSWORDS:
        return True
    is_sentence = " " in value.strip() and "-----BEGIN" not in value and last not in ("authorization", "dsn")
    return len(value) >= _MIN_LENGTH and not (is_sentence or _PATH.fullmatch(value) or _VARIABLE.fullmatch(value))


def may_name_a_secret(name: str) -> bool:
    """Whether something under `name` could be a secret, whatever it is."""
    return _says_so(*_last_words(name))


def names_a_password(name: str) -> bool:
    """Whether everything under `name` is a secret, even where it is short."""
    return _last_words(name)[0] in _PASSWORDS


def _last_words(name: str) -> tuple[str, str]:
    words = [_unglued(each.lower()) for each in _WORDS.findall(name)]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return (words[-1] if words else "", words[-2] if len(words) > 1 else "")


def _unglued(word: str) -> str:
    """`pgpassword` as `password`: those words end in nothing else."""
    return next((each for each in ("password", "passwd", "passphrase", "apikey") if word.endswith(each)), word)


def _says_so(last: str, before: str) -> bool:
    if last in _PASSWORDS or last in _ALWAYS:
        return True
    if last in ("key", "keys"):
        return before in _BEFORE_KEY
    if last in _TOKEN:
        return before not in _NOT_BEFORE_TOKEN
    return (last == "pass" and before in _BEFORE_PASS) or (last == "string" and before == "connection")
