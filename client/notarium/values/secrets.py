"""Leave secrets out of a record: in the place of each stands a salted digest, and the record says so.

The digest lets whoever has the secret show later which one it was, and nobody else find it: it is made with scrypt
(RFC 7914), which makes each guess slow, and short secrets get none. A secret that has come into a parameter or a
command line was seen by others all the same: it should be changed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from notarium.values.secret_names import may_name_a_secret, names_a_secret
from notarium.values.secret_shapes import find

SALT_BYTES: Final = 32
MIN_DIGESTED: Final = 12
"""Characters. The digest of a shorter secret could be guessed."""
MAX_DIGESTED: Final = 16
"""Secrets of one record. Each digest takes some 50 ms, and a run must not wait."""
_SCRYPT: Final[Mapping[str, int]] = {"n": 2**14, "r": 8, "p": 1, "dklen": 16}
_SALT: Final = re.compile(f"[0-9a-f]{{{2 * SALT_BYTES}}}")
_MARK: Final = "[secret"


class Secrets:
    """What was left out of one record, and by what it is replaced."""

    def __init__(self, salt: str = "", on_notice: Callable[[str], None] = lambda _: None) -> None:
        """`salt`, in hex: of an earlier record of the same thing, so that equal secrets have equal digests.

        `on_notice` is called with each new notice.
        """
        # Another salt than ours comes from a file, and may be anything.
        self._salt = bytes.fromhex(salt) if _SALT.fullmatch(salt) else secrets.token_bytes(SALT_BYTES)
        self._on_notice = on_notice
        self._replaced: dict[str, str] = {}
        self._notices: dict[str, None] = {}

    @property
    def notices(self) -> list[str]:
        """One sentence for each place that a secret was left out of."""
        return list(self._notices)

    @property
    def salt(self) -> str:
        """Hex; "" where nothing was left out."""
        return self._salt.hex() if self._replaced else ""

    def salted(self) -> dict[str, str]:
        """The fact `secrets_salt` of a record, where something was left out."""
        return {"secrets_salt": self.salt} if self.salt else {}

    def named(self, name: str, value: Any, where: str) -> Any:
        """`value` without secrets: all of it where `name` says that it is one, or else the parts that look like one."""
        if names_a_secret(name, value):
            return self.hidden(str(value), where, "its name says that it is a secret")
        return self.text(value, where) if isinstance(value, str) else value

    def text(self, text: str, where: str) -> str:
        """`text`, with each part replaced that looks like a secret."""
        done, parts = 0, []
        for span in find(text):
            secret = text[span.start : span.end]
            if secret.startswith(_MARK):
                continue
            parts += [text[done : span.start], self.hidden(secret, where, f"it looks like {span.what}")]
            done = span.end
        return "".join([*parts, text[done:]])

    def command(self, arguments: Sequence[str], where: str = "the command line") -> list[str]:
        """The arguments of a command. The one after `--password` is a secret, too."""
        shown: list[str] = []
        option = ""
        for argument in arguments:
            shown.append(self.named(option, argument, where) if option else self.text(argument, where))
            is_option = argument.startswith("-") and "=" not in argument
            option = argument.lstrip("-") if is_option else ""
        return shown

    def nested(self, value: Any, where: str, name: str = "") -> Any:
        """A JSON value without secrets; `name`: what it stands under."""
        if isinstance(value, dict):
            # A name may hold a secret, too, which then must not stand in a notice.
            shown = {self.text(key, f"a name in {where}"): key for key in value}
            return {
                to: self.nested(value[key], f"{where}.{to}", name if may_name_a_secret(name) else key)
                for to, key in shown.items()
            }
        if not isinstance(value, list):
            return self.named(name, value, where)
        if all(isinstance(each, str) for each in value) and not may_name_a_secret(name):
            return self.command(value, where)
        return [self.nested(each, where, name) for each in value]

    def hidden(self, secret: str, where: str, why: str) -> str:
        """What stands in the place of `secret`."""
        if secret not in self._replaced:
            self._replaced[secret] = self._mark(secret)
        notice = f"a secret is left out of {where}: {why}"
        if notice not in self._notices:
            self._notices[notice] = None
            self._on_notice(notice)
        return self._replaced[secret]

    def _mark(self, secret: str) -> str:
        digest = ""
        if len(secret) >= MIN_DIGESTED and len(self._replaced) < MAX_DIGESTED:
            digest = digest_of(secret, self._salt)
        return f"{_MARK} scrypt:{digest}]" if digest else f"{_MARK}]"


class NoSecrets(Secrets):
    """For what only looks like a secret, as whoever hands it over says. What a class hides stays hidden."""

    def __init__(self, others: Secrets) -> None:
        """`others`: those of the record."""
        super().__init__(others.salt)
        self._others = others

    def named(self, name: str, value: Any, where: str) -> Any:
        """`value` as it is."""
        return value

    def text(self, text: str, where: str) -> str:
        """`text` as it is."""
        return text

    def hidden(self, secret: str, where: str, why: str) -> str:
        """As in the rest of the record."""
        return self._others.hidden(secret, where, why)


def digest_of(secret: str, salt: bytes) -> str:
    """The digest that stands in the place of `secret`, hex; "" where this Python's OpenSSL has no scrypt."""
    try:
        made = hashlib.scrypt(secret.encode("utf-8", "backslashreplace"), salt=salt, **_SCRYPT)
    except (AttributeError, ValueError):
        return ""
    return made.hex()
