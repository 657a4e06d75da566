"""Words that read as if translated, and what plain technical English says in their place.

One list for documents and product code. `find` is the whole interface.
"""

from __future__ import annotations

import re
from typing import Final

INSTEAD: Final[dict[str, str]] = {
    "told": "reported, sent, shown",
    "tell": "say, show, report",
    "tells": "says, shows, reports",
    "anew": "again",
    "for ever": "forever, permanently",
    "mend": "fix, repair",
    "mends": "fixes, repairs",
    "mended": "fixed, repaired",
    "mending": "fixing, repairing",
    "nor must": "and must not",
    "is none": "is not a ...",
    "are none": "are not ...",
    "thereof": "of it",
    "whereof": "of which",
    "misconduct": "equivocation, protocol violation",
    "misbehaviour": "equivocation, protocol violation",
    "misbehaved": "broke the protocol",
    "accus*": "equivocation, the key that signed",
    "of its own accord": "by itself",
    "its affair": "its responsibility",
    "in vain": "without success",
    "befall": "happen to",
    "whatever befalls": "whatever happens",
    "nobody need": "no one needs to",
    "ere": "before",
    "lest": "so that ... not",
    "hither": "here",
    "thence": "from there",
    "whence": "from where",
    "nought": "nothing, zero",
    "such a thing": "the noun itself",
    "bent elsewhere": "redirected",
    "crumbs": "small parts",
}
"""Each banned word or phrase (`*`: any ending) with what to write instead. Case does not matter."""


def _pattern(words: str) -> str:
    if words.endswith(" none"):  # Python's None is a word of its own: "the value is None" is right.
        return rf"{words.removesuffix(' none')}\s+(?-i:none)"
    # A phrase may be broken over two lines, and over a comment's "#" or a quote's ">" at the start of the second.
    return r"\s+(?:[#>]+\s+)?".join(re.escape(word).replace(r"\*", r"\w*") for word in words.split())


_BANNED: Final = re.compile(rf"\b(?:{'|'.join(_pattern(words) for words in INSTEAD)})\b", re.IGNORECASE)


def find(text: str) -> list[tuple[int, str]]:
    """Every banned word in `text`, as (line, counted from 1; the word as it stands there), in order."""
    return [
        (text.count("\n", 0, found.start()) + 1, " ".join(re.findall(r"\w+", found.group())))
        for found in _BANNED.finditer(text)
    ]
