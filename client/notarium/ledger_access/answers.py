"""Answers of nodes, and the checks that every answer passes before it is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from notarium.errors import LyingNode, NotariumError, ProblemDetails, Rejected
from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding.json_file import iso_time, parse_json
from notarium_ledger.entries.commitment import Body, artifact_digests
from notarium_ledger.entries.entry import Entry, decode_entry
from notarium_ledger.errors import InvalidReceipt, LedgerError
from notarium_ledger.log.proofs import verify_consistency
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import MAX_RECEIPT_BYTES, Receipt, ReceiptDecoder, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts
from notarium_ledger.types import Hash

PROBLEM_TYPE = "application/problem+json"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Characters that manipulate a terminal, and lone surrogates, which it cannot print."""
_SAID_LIMIT = 500
_MAX_DEPTH = 16
"""Of lists and objects in an answer; a receipt has four."""


class NodeFailed(NotariumError):
    """A node that cannot answer now: busy, not ready or broken. Another node, or this one later, may."""

    def __init__(self, said: str, retry_after: float = 0.0) -> None:
        super().__init__(said)
        self.retry_after = retry_after


class AboveQuota(NodeFailed):
    """A node that takes the entry later: its author has submitted as much as he may for now."""


class NotYet(NotariumError):
    """A node that has the entry but no decision yet."""


class Unknown(NotariumError):
    """A node that does not know what was asked for; `error` is for the caller if no other node knows it."""

    def __init__(self, error: NotariumError) -> None:
        super().__init__(str(error))
        self.error = error


class Refused(NotariumError):
    """A node that refuses this entry, or that takes no entries at all (`read_only`)."""

    def __init__(self, rejected: Rejected, read_only: bool) -> None:
        super().__init__(str(rejected))
        self.rejected = rejected
        self.read_only = read_only


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that is not verified yet."""

    url: str
    """Base address of the node."""
    status: int
    content_type: str
    body: bytes
    retry_after: str = ""

    def expect(self, *statuses: int) -> None:
        """Raise the error that any other status stands for."""
        if self.status in statuses:
            return
        problem = read_problem(self)
        if self.status in (408, 425, 429) or self.status >= 500 or self.status < 400:
            wait = float(self.retry_after) if self.retry_after.isascii() and self.retry_after.isdigit() else 0.0
            if problem.name == "quota":
                # It is the whole sentence, and names who is meant.
                raise AboveQuota(problem.detail.removeprefix(f"{problem.field}: "), wait)
            raise NodeFailed(f"HTTP {self.status} {problem}", wait)
        raise Refused(Rejected(self.url, problem), problem.name == "read-only")

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises LyingNode: an honest node keeps to the API."""
        try:
            value = parse_json(self.body)
            _check_printable(value)
        except (ValueError, RecursionError) as error:
            raise LyingNode(self.url, f"not JSON: {clean(str(error))}") from error
        if not isinstance(value, dict):
            raise LyingNode(self.url, "not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that was verified against the pinned genesis."""

    receipt: Receipt
    id: Hash
    """The entry's id."""
    url: str = ""
    """The node that gave it; "" where it was read from a file."""
    _decoded: list[Entry] = field(default_factory=list, repr=False, compare=False)

    def __repr__(self) -> str:
        # One line: this is what a notebook shows for `run.receipt`, and the proof itself is kilobytes of bytes.
        return (
            f"<VerifiedReceipt {self.id.hex()[:16]}… {self.body['kind']} · block {self.height} · #{self.index} · "
            f"{iso_time(self.time_ms)}>"
        )

    @property
    def index(self) -> int:
        """Position in the log."""
        return self.receipt.index

    @property
    def header(self) -> Header:
        """The decided header of its block."""
        return self.receipt.decided.header

    @property
    def height(self) -> int:
        """Height of its block."""
        return self.header.height

    @property
    def time_ms(self) -> int:
        """Time of its block, in milliseconds since 1970 UTC."""
        return self.header.time_ms

    @property
    def entry(self) -> Entry:
        """The entry, decoded when first asked for."""
        if not self._decoded:
            self._decoded.append(decode_entry(self.receipt.entry))
        return self._decoded[0]

    @property
    def body(self) -> Body:
        """What was committed to."""
        return self.entry.body

    @property
    def digests(self) -> list[bytes]:
        """The digests by which the entry can be found."""
        return artifact_digests(self.body)

    def file_bytes(self) -> bytes:
        """The bytes of the receipt file."""
        return self.receipt.encode_json()


class ReceiptReader:
    """Reads receipts out of answers and verifies them; a receipt that fails makes its node a liar."""

    def __init__(self, verifier: ReceiptVerifier) -> None:
        self._verifier = verifier
        self._decoder = ReceiptDecoder()

    def read(self, answer: Answer, raw: bytes | None, *, check_author: bool) -> VerifiedReceipt:
        """The receipt file in `answer`, for the entry `raw` if that is known. Raises LyingNode or NodeFailed.

        Without `check_author` step 6 is left out: for an entry that this process has just signed itself.
        """
        if len(answer.body) > MAX_RECEIPT_BYTES:
            # An honest node may send this: receipts grow with each change of the validator set.
            raise NodeFailed(
                f"a receipt of {len(answer.body)} bytes, at most {MAX_RECEIPT_BYTES} are read: the validator set has "
                'changed too often before this entry (formats, "The length of a receipt")'
            )
        try:
            receipt = None if raw is None or check_author else self._decoder.decode(answer.body, raw)
            if receipt is not None:
                return self._verify(receipt, answer.url, check_author)
            receipt = Receipt.decode_json(answer.body)
            if raw is not None and receipt.entry != raw:
                raise LyingNode(answer.url, "a receipt of another entry")
            verified = self._verify(receipt, answer.url, check_author)
        except LedgerError as error:
            raise _lie(answer, error) from error
        self._decoder.remember(answer.body, receipt)
        return verified

    def read_batch(self, answer: Answer, raws: Sequence[bytes], *, check_author: bool) -> dict[int, VerifiedReceipt]:
        """The receipts in `answer`, by the position of their entries; pending ones are absent. Raises LyingNode."""
        try:
            receipts = decode_receipts(answer.body, raws)
            return {
                number: self._verify(receipt, answer.url, check_author)
                for number, receipt in enumerate(receipts)
                if receipt is not None
            }
        except LedgerError as error:
            raise _lie(answer, error) from error

    def _verify(self, receipt: Receipt, url: str, check_author: bool) -> VerifiedReceipt:
        if check_author:
            verified = self._verifier.verify(receipt)
            return VerifiedReceipt(receipt, verified.entry.id, url, [verified.entry])
        return VerifiedReceipt(receipt, self._verifier.verify_place(receipt), url)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The status that one node reports, or why it reported none."""

    url: str
    answer: dict[str, Any] | None
    problem: str = ""

    @property
    def ready(self) -> bool:
        """Whether it reports that it can take entries."""
        return self.answer is not None and not self.problem and bool(self.answer.get("ready"))


def read_status(answer: Answer, genesis: Hash) -> NodeStatus:
    """The status in `answer`; the result names a node of another ledger as such. Raises LyingNode."""
    said = answer.json_object()
    if not isinstance(said.get("reasons", []), list):
        raise LyingNode(answer.url, "reasons: not a list")
    if said.get("genesis") != genesis.hex():
        return NodeStatus(answer.url, said, f"serves another ledger (genesis {clean(str(said.get('genesis')))})")
    return NodeStatus(answer.url, said)


def read_block_entry(answer: Answer) -> bytes:
    """The id of the last entry of a block. Raises LyingNode."""
    ids = answer.json_object().get("entry_ids")
    if not isinstance(ids, list) or not ids:
        raise LyingNode(answer.url, "entry_ids: a block without entries")
    return read_hash(answer, ids[-1], "entry_ids")


def check_consistency(answer: Answer, first: Header, second: Header) -> None:
    """Raise LyingNode unless the proof in `answer` leads from the first proven tree head to the second."""
    path = answer.json_object().get("path")
    if not isinstance(path, list):
        raise LyingNode(answer.url, "no consistency proof")
    hashes = [read_hash(answer, each, "path") for each in path]
    try:
        verify_consistency(first.tree_size, first.tree_root, second.tree_size, second.tree_root, hashes)
    except LedgerError as error:
        raise _lie(answer, error) from error


def height_of(url: str, said: dict[str, Any]) -> int:
    """The height in an answer. Raises LyingNode."""
    height = said.get("height")
    if type(height) is not int or height < 0:
        raise LyingNode(url, "height: not a height")
    return height


def check_members(url: str, said: dict[str, Any], header: Header | None, genesis: Genesis) -> None:
    """Raise LyingNode unless state root and validators are those that the proven `header` names."""
    state = genesis.registry.hash if header is None else header.state_root
    next_set = genesis.registry.validators.hash if header is None else header.next_validators
    try:
        rows: list[Any] = [[row["member"], bytes.fromhex(row["key"])] for row in said["validators"]]
        rows.sort(key=lambda row: bytes(row[1]))
        named = ValidatorSet.from_value(rows)
        state_root = said["state_root"]
    except (LedgerError, KeyError, TypeError, ValueError) as error:
        raise LyingNode(url, f"not the members of a ledger: {clean(str(error))}") from error
    if state_root != state.hex():
        raise LyingNode(url, "state_root is not the one in the decided block")
    if named.hash != next_set:
        raise LyingNode(url, "validators are not those that the decided block names")


def read_problem(answer: Answer) -> ProblemDetails:
    """Problem details (RFC 9457); for another answer, what can be read from its status."""
    try:
        value = parse_json(answer.body[:65_536]) if answer.content_type == PROBLEM_TYPE else {}
    except (ValueError, RecursionError):
        value = {}
    said = value if isinstance(value, dict) else {}

    def text(name: str) -> str:
        return _scalar(said.get(name))

    errors = said.get("errors")
    rows = [
        {clean(name): _scalar(item) for name, item in row.items()}
        for row in (errors if isinstance(errors, list) else [])[:100]
        if isinstance(row, dict)
    ]
    return ProblemDetails(
        name=text("type").rpartition(":")[2],
        status=answer.status,
        title=text("title"),
        detail=text("detail"),
        field=text("field"),
        limit=text("limit"),
        remedy=text("remedy"),
        errors=tuple(rows),
    )


def _scalar(value: object) -> str:
    """Text or a number of an answer, cleaned; "" for anything else, which may be nested to any depth."""
    return clean(str(value)) if isinstance(value, str | int | float) else ""


def clean(text: str) -> str:
    """`text` from outside, safe for a terminal: one line, bounded, no control or direction characters."""
    cleaned = CONTROL.sub(" ", text).strip()
    return cleaned if len(cleaned) <= _SAID_LIMIT else cleaned[:_SAID_LIMIT] + "…"


def _check_printable(value: object, depth: int = 0) -> None:
    """Raise ValueError for JSON that cannot be written again: nested too deeply, or with lone surrogates."""
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError.
    elif isinstance(value, list | dict):
        if depth == _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        for each in value:
            _check_printable(each, depth + 1)
        for each in value.values() if isinstance(value, dict) else ():
            _check_printable(each, depth + 1)


def _lie(answer: Answer, error: LedgerError) -> LyingNode:
    step = f"step {error.step}: " if isinstance(error, InvalidReceipt) else ""
    return LyingNode(answer.url, clean(f"{step}{error}"))


def read_hash(answer: Answer, value: object, name: str) -> bytes:
    """32 bytes from hex in an answer. Raises LyingNode."""
    try:
        decoded = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise LyingNode(answer.url, f"{name}: not a hash")
    return decoded
