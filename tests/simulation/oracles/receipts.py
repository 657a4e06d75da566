"""Receipts, verified by the seven steps of docs/formats.md."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgpack
from tests.simulation.oracles import formats, merkle
from tests.simulation.oracles.formats import COMMIT, Header, Malformed, Member, Statement, demand
from tests.simulation.oracles.signatures import Signatures, Validators

FIELDS = ("mediaType", "about", "genesis", "entry", "index", "path", "header", "certificate", "handovers")
MEDIA_TYPE = "application/vnd.notarium.receipt.v1+json"


class Receipts:
    """Verifies from the genesis' validators, and remembers which decided headers it has followed already."""

    def __init__(self, genesis: bytes, validators: Sequence[Member], signatures: Signatures) -> None:
        self._genesis = genesis
        self._first = Validators.of(validators)
        self._signatures = signatures
        self._decided: dict[str, Header] = {}

    def verify(self, receipt: bytes | Mapping[str, Any]) -> tuple[bytes, int, Header]:
        """(entry id, index, header) that the receipt proves. Raises Malformed, naming the step.

        Bytes must be the canonical file; a mapping is what its JSON says.
        """
        try:
            return self._verify(receipt)
        except (ValueError, TypeError, LookupError, binascii.Error, msgpack.exceptions.UnpackException) as error:
            raise Malformed(str(error)) from error

    def _verify(self, receipt: bytes | Mapping[str, Any]) -> tuple[bytes, int, Header]:
        document = json.loads(receipt) if isinstance(receipt, bytes) else receipt
        demand(set(document) == set(FIELDS) and document["mediaType"] == MEDIA_TYPE, "step 1: not a receipt")
        if isinstance(receipt, bytes):
            lines = [f'"{name}":' + json.dumps(document[name], separators=(",", ":")) for name in FIELDS]
            demand(("{\n" + ",\n".join(lines) + "\n}\n").encode() == receipt, "step 1: not in canonical form")
        demand(document["genesis"] == self._genesis.hex(), "step 2: of another ledger")
        header = self._follow(document)
        raw, index = _unpack(document["entry"]), document["index"]
        path = [bytes.fromhex(each) for each in document["path"]]
        id_ = formats.entry_id(raw)
        included = type(index) is int and merkle.is_included(id_, index, header.tree_size, path, header.tree_root)
        demand(included, "step 5: the entry is not in the tree")
        author, body = self._check_author(raw)
        about = _about(id_, body, author, index, header)
        demand(json.dumps(about) == json.dumps(document["about"]), "step 7: what it says of itself is not so")
        return id_, index, header

    def _follow(self, document: Mapping[str, Any]) -> Header:
        """Steps 3 and 4: from the genesis' validators to the header."""
        name = json.dumps([document["header"], document["certificate"], document["handovers"]])
        known = self._decided.get(name)
        if known is not None:
            return known
        validators, height = self._first, 0
        last = formats.read_header(_unpack(document["header"])).height
        for handover in document["handovers"]:
            header = self._certified(handover, validators, height + 1, 3)
            members = formats.decode(_unpack(handover["validators"]))
            after = Validators.of([(member, key) for member, key in members])
            demand(height < header.height < last, "step 3: heights do not ascend")
            demand(after.hash == header.next_validators != header.validators, "step 3: not the set handed over to")
            validators, height = after, header.height
        header = self._decided[name] = self._certified(document, validators, height + 1, 4)
        return header

    def _certified(self, document: Mapping[str, Any], validators: Validators, since: int, step: int) -> Header:
        header = formats.read_header(_unpack(document["header"]))
        certificate = formats.read_certificate(_unpack(document["certificate"]))
        demand(header.genesis == self._genesis, f"step {step}: the header is of another ledger")
        demand(header.validators == validators.hash, f"step {step}: the header names another set than the one in force")
        demand(header.since == since, f"step {step}: a handover is left out")
        same = (certificate.height, certificate.block) == (header.height, header.hash)
        demand(same, f"step {step}: the certificate is of another block")
        keys = [key for key, _ in certificate.seals]
        demand(keys == sorted(set(keys)), f"step {step}: the signers do not ascend")
        votes = [
            Statement(COMMIT, header.height, certificate.round, header.hash, None, *seal) for seal in certificate.seals
        ]
        fault = self._signatures.votes_fault(votes, validators, COMMIT, header.height, certificate.round, header.hash)
        demand(fault is None, f"step {step}: {fault}")
        return header

    def _check_author(self, raw: bytes) -> tuple[bytes, dict[str, Any]]:
        """Step 6, without the schema: the author's key and the body."""
        form, body, key, signature, *batch = formats.decode(raw)
        demand((form, len(batch)) in ((1, 0), (2, 3)) and len(raw) <= 65_535, "step 6: not an entry")
        message = b"notarium/entry/v1\0" + self._genesis + body
        if batch:
            index, size, path = batch
            root = merkle.root_of(formats.entry_id(body), index, size, path)
            demand(root is not None, "step 6: not a path in the batch")
            message = b"notarium/batch/v1\0" + self._genesis + formats.u64(size) + (root or b"")
        demand(self._signatures.raw(key, message, signature), "step 6: the author's signature is not valid")
        return key, msgpack.unpackb(body, raw=False)


def _about(id_: bytes, body: dict[str, Any], author: bytes, index: int, header: Header) -> dict[str, Any]:
    shown = {"id": id_.hex(), "kind": body["kind"]}
    shown |= {name: body[name] for name in ("issuer", "member", "project", "disclosure") if name in body}
    seconds, millis = divmod(header.time_ms, 1000)
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"
    return {**shown, "author": author.hex(), "index": index, "height": header.height, "time": time}


def _unpack(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "step 1: not canonical base64")
    return data
