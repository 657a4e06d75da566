"""Texts that look like secrets, whatever they are named: tokens of known services, private keys, credentials in URLs.

Only shapes that hardly anything else has. Long hexadecimal or base64 text alone does not count: digests,
commits and identifiers look the same. docs/formats.md lists the shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from notarium.values.secret_names import may_name_a_secret, names_a_password, names_a_secret

MAX_NAME: Final = 64
"""Of a name before an equals sign: bounds the work on long texts."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a secret stands in a text."""

    start: int
    end: int
    what: str
    """What it looks like."""


_PREFIXES: Final[dict[str, tuple[str, str]]] = {
    "AKIA": (r"[A-Z2-7]{16}(?![A-Za-z0-9])", "an access key of AWS"),
    "ASIA": (r"[A-Z2-7]{16}(?![A-Za-z0-9])", "an access key of AWS"),
    "ghp_": (r"[A-Za-z0-9]{30,}", "a token of GitHub"),
    "gho_": (r"[A-Za-z0-9]{30,}", "a token of GitHub"),
    "ghu_": (r"[A-Za-z0-9]{30,}", "a token of GitHub"),
    "ghs_": (r"[A-Za-z0-9]{30,}", "a token of GitHub"),
    "ghr_": (r"[A-Za-z0-9]{30,}", "a token of GitHub"),
    "github_pat_": (r"[A-Za-z0-9_]{22,}", "a token of GitHub"),
    "glpat-": (r"[\w-]{20,}", "a token of GitLab"),
    "gldt-": (r"[\w-]{20,}", "a token of GitLab"),
    "glrt-": (r"[\w-]{20,}", "a token of GitLab"),
    "glptt-": (r"[\w-]{20,}", "a token of GitLab"),
    "xoxb-": (r"[\w-]{10,}", "a token of Slack"),
    "xoxp-": (r"[\w-]{10,}", "a token of Slack"),
    "xoxa-": (r"[\w-]{10,}", "a token of Slack"),
    "xapp-": (r"[\w-]{10,}", "a token of Slack"),
    "hooks.slack.com/services/": (r"[\w/]{20,}", "a webhook of Slack"),
    "hf_": (r"[A-Za-z0-9]{30,}", "a token of Hugging Face"),
    "wandb_v1_": (r"[\w-]{20,}", "a key of Weights & Biases"),
    "AIza": (r"[\w-]{35}", "a key of Google"),
    "ya29.": (r"[\w-]{20,}", "a token of Google"),
    "GOCSPX-": (r"[\w-]{20,}", "a secret of Google"),
    "npm_": (r"[A-Za-z0-9]{36}", "a token of npm"),
    "pypi-AgE": (r"[\w-]{30,}", "a token of PyPI"),
    "sk_live_": (r"[A-Za-z0-9]{16,}", "a key of Stripe"),
    "rk_live_": (r"[A-Za-z0-9]{16,}", "a key of Stripe"),
    "SG.": (r"[\w-]{22}\.[\w-]{43}", "a key of SendGrid"),
    "dop_v1_": (r"[0-9a-f]{40,}", "a token of DigitalOcean"),
    "dapi": (r"[0-9a-f]{32}(?![0-9a-f])", "a token of Databricks"),
    "hvs.": (r"[\w-]{24,}", "a token of Vault"),
    "dckr_pat_": (r"[\w-]{20,}", "a token of Docker"),
    "gsk_": (r"[A-Za-z0-9]{40,}", "a key of Groq"),
    "r8_": (r"[A-Za-z0-9]{37}", "a token of Replicate"),
    "ATATT3": (r"[\w=-]{50,}", "a token of Atlassian"),
    "glsa_": (r"[A-Za-z0-9_]{32,}", "a token of Grafana"),
    "AGE-SECRET-KEY-1": (r"[A-Z0-9]{50,}", "a private key of age"),
    "notarium-key-v1 ": (r"\S+ [A-Za-z0-9+/]{40,}=*", "a key file of Notarium"),
    "eyJ": (r"[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*", "a JSON web token"),
}
"""What follows each prefix, and what it is. Compiled where the prefix is found: hardly any text has one."""

_SK: Final = re.compile(r"sk-(?:[a-z]{1,12}[0-9]{0,4}-){0,3}([A-Za-z0-9_]{20,}[\w-]*)")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_END_OF_KEY: Final = re.compile(r"-----END [A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_CREDENTIALS: Final = re.compile(r"://([^\s/@:'\"<>]{0,256}):(?!\d{1,5}/)([^\s'\"<>]{1,1024})@(?!sha\d)")
"""Up to the last @, because people forget to encode those in passwords; what follows the colon is no port."""
_USER_ONLY: Final = re.compile(r"https?://([^\s/@:'\"<>]{16,1024})@(?!sha\d)")
_HEADER: Final = re.compile(
    r"(?i)\b(?:bearer|authorization['\"]?[:=] *['\"]?(?:basic|token|apikey)) +([\w.~+/-]{8,}=*)"
)
_NAME: Final = re.compile(rf"""(?<![\w-])(?<!://)-{{0,2}}([A-Za-z_][\w-]{{0,{MAX_NAME}}})['"]?\s{{0,3}}[=:]\s{{0,3}}""")
_VALUE: Final = re.compile(r"""["]([^"\n]+)["]|[']([^'\n]+)[']|([^\s"'&;,]+)""")
_SIGNATURES: Final = frozenset(("sig", "signature", "x-amz-signature", "x-goog-signature", "x-amz-security-token"))
"""Names in the query of a signed URL."""
MIN_SIGNATURE: Final = 16


def find(text: str) -> list[Span]:
    """Where `text` holds secrets: in order, without overlaps, the longest first of those that begin together."""
    found: list[Span] = []
    for span in sorted(_all(text), key=lambda each: (each.start, -each.end)):
        if not found or span.start >= found[-1].end:
            found.append(span)
    return found


def _all(text: str) -> Iterator[Span]:
    yield from _prefixed(text)
    yield from _private_keys(text)
    if "sk-" in text:
        for each in _SK.finditer(text):
            if _is_word_start(text, each.start()) and _is_mixed(each[1]):
                yield Span(each.start(), each.end(), "a key of an AI service")
    if "://" in text:
        for each in _CREDENTIALS.finditer(text):
            yield Span(each.start(2), each.end(2), "a password in a URL")
        for each in _USER_ONLY.finditer(text):
            if _is_mixed(each[1]):
                yield Span(each.start(1), each.end(1), "a token in a URL")
    for each in _HEADER.finditer(text):
        yield Span(each.start(1), each.end(1), "a token of an authorization")
    if "=" in text or ":" in text:
        yield from _assigned(text)


def _prefixed(text: str) -> Iterator[Span]:
    """A plain search for each prefix, because it is many times faster than one expression of them all."""
    for prefix, (rest, what) in _PREFIXES.items():
        start = text.find(prefix)
        while start >= 0:
            found = re.compile(rest).match(text, start + len(prefix)) if _is_word_start(text, start) else None
            if found is not None:
                yield Span(start, found.end(), what)
            start = text.find(prefix, found.end() if found else start + len(prefix))


def _private_keys(text: str) -> Iterator[Span]:
    at = 0
    while (begin := _PRIVATE_KEY.search(text, at)) is not None:
        end = _END_OF_KEY.search(text, begin.end())
        # A key that was cut off is a key.
        at = end.end() if end else len(text)
        yield Span(begin.start(), at, "a private key")


def _assigned(text: str) -> Iterator[Span]:
    """`password=...` in a command line, a connection string, the query of a URL or JSON inside a text."""
    at = 0
    while (name := _NAME.search(text, at)) is not None:
        at = name.end()
        value = _VALUE.match(text, at) if may_name_a_secret(name[1]) or name[1].lower() in _SIGNATURES else None
        if value is not None and _is_assigned(name, value):
            group = value.lastindex or 0
            yield Span(value.start(group), value.end(group), f"the value of {name[1]}")
            at = value.end()


def _is_assigned(name: re.Match[str], value: re.Match[str]) -> bool:
    text = value[value.lastindex or 0]
    if name[1].lower() in _SIGNATURES:
        return len(text) >= MIN_SIGNATURE
    # In prose, "the token: unknown" assigns nothing.
    may_be_prose = name[0].endswith(": ") and value[3] is not None and not names_a_password(name[1])
    return names_a_secret(name[1], text) and (_is_mixed(text) or not may_be_prose)


def _is_word_start(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")


def _is_mixed(text: str) -> bool:
    """Whether digits and letters alternate as in what a machine drew: no words, no plain number."""
    return any(each.isdigit() for each in text) and sum(each.isalpha() for each in text) >= 4
