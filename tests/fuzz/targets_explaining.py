"""Decoders of a stranger's submission: its archive, its records as they are shown and compared, its files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.files import from_file
from tests.fuzz.target import Target
from tests.vectors.chain import chain

from notarium.cli.record_view import as_document, sections_of
from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.contents import Item
from notarium.evidence.json_text import canonical_json
from notarium.evidence.record import Record
from notarium.explaining.at_hand import MAX_BYTES, Side
from notarium.explaining.causes import causes_of_runs, chance
from notarium.explaining.comparison import compare
from notarium.explaining.content import content_differences
from notarium.explaining.metrics import course_of
from notarium.explaining.rewriting import compared, hint, proven
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.archive import unpacked
from notarium.terminal import json_text, lines
from notarium.values.series import points
from notarium.verifying.recorded import Claimed, Recorded
from notarium.verifying.seeds import check_seeds
from notarium.verifying.times import time_marks
from notarium_ledger.encoding.json_file import iso_time, parse_json
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.seed import derive_seed

MAX_LINE = 4096
"""Characters of a text about something, whatever it is."""
_INVALID = (InvalidRecordFile, ValueError, RecursionError)
_PAIR = b"\n--- now ---\n"
"""Between the content as it was and as it is."""
_TABLE = b"a,b\n" + b"".join(b"%d,%d\n" % (each, each * each) for each in range(40))
_HEADER = b'{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"format":"np"}}'
_NPY = b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }".ljust(69) + b"\n"


def _record(data: bytes) -> Record:
    return Record.from_statement(parse_json(data))


def _seen(data: bytes) -> None:
    """All that `show`, `diff` and `verify` make of a record, beside another one."""
    record, other = _record(data), Record.decode(seeds.records()[1])
    for title, rows in sections_of(record, None, {}):
        lines("\n".join((title, *rows)))
    json_text(as_document(record))
    claimed = Claimed.by({}, Recorded.of(record))
    time_marks(claimed, 1_760_000_000_000, has_start=False)
    for time in (claimed.started_ms, claimed.ended_ms):
        if time is not None:
            iso_time(time)
    chance(record.facts)
    for pair in ((record, other), (other, record), (record, record)):
        one, two = (Side(each, Path("nowhere/x.receipt.json")) for each in pair)
        found = compare(one, two)
        json_text(found.to_json())
        causes_of_runs(*pair, found.differences)


def _seen_record() -> bytes:
    """With everything that a record of a run may say."""
    record = Record.decode(seeds.records()[1])
    facts = {
        **record.facts,
        "status": "completed",
        "started": "2026-11-22T10:30:00.123Z",
        "ended": "2026-11-22T10:31:00Z",
        "param_types": {"lr": "float"},
        "seeds": {"seed": 7},
        "metrics": json.loads(seeds.metrics()),
        "gaps": ["one"],
        "code": {"commit": "ab" * 20, "dirty": False, "submodules": [{"name": "a"}]},
        "determinism": {"flags": {"torch": {"use_deterministic_algorithms": True}}},
        "environment": {
            "packages": [{"name": "numpy", "version": "2.0", "record_sha256": "ab" * 32}],
            "gpus": [{"name": "H100", "memory_bytes": 1}],
            "variables": {"OMP_NUM_THREADS": "2"},
        },
    }
    return canonical_json(replace(record, facts=facts).statement)


def _large() -> tuple[bytes, ...]:
    """Of many artifacts, and with a long name for many values."""
    record = Record.decode(seeds.records()[1])
    artifacts = tuple(replace(record.artifacts[1], name=f"m-{number}") for number in range(1500))
    params = {"a" * 40_000: [{"b": each} for each in range(1000)]}
    made = (replace(record, artifacts=artifacts), replace(record, facts={**record.facts, "params": params}))
    return tuple(canonical_json(each.statement) for each in made)


def _metrics(data: bytes) -> Any:
    courses = course_of({"metrics": parse_json(data)})
    for each in courses.values():
        each.sparkline()
    return courses


def _alternating(word: str) -> bytes:
    return "\n".join(f"a\n{word}{number}" for number in range(400)).encode()


def _content(data: bytes) -> None:
    before, _, now = data.partition(_PAIR)
    for name in ("x.csv", "x.safetensors", "x.npy"):
        for each in content_differences(name, before, now or _TABLE):
            json_text(each.to_json())
            if len(str(each)) > MAX_LINE:
                raise AssertionError(f"{len(str(each))} characters about one difference")


def _rewritten(data: bytes) -> None:
    proven(data, Item("x", len(_TABLE), sha256(_TABLE).hexdigest()))
    compared("x", _TABLE, data)
    compared("x", data, data + b"\n.")
    hint("x", data)


def _pickled() -> bytes:
    return pickle.dumps({"weights": [1, 2.5, "text", b"bytes"], "name": "é"}, 4)


def _zip(*methods: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.mkdir("runs")
        for number, method in enumerate(methods):
            archive.writestr(f"runs/é-{number}.csv", _TABLE, compress_type=method)
            archive.writestr(f"runs/é-{number}.run.receipt.json", seeds.receipts()[0].encode_json()[:400])
    return made.getvalue()


def _bomb() -> bytes:
    """16 MiB that a few bytes of bzip2 stand for, which Python inflates at once."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("zeros", bytes(16 << 20))
    return made.getvalue()


def _unpacked(path: Path) -> Any:
    with unpacked(path) as found:
        lines("\n".join(map(": ".join, found.left_out)))
        return found.has_receipts


def _start() -> VerifiedReceipt:
    receipt = seeds.receipts()[2]
    return VerifiedReceipt(receipt, leaf_hash(receipt.entry))


def _checked() -> Callable[[bytes], Any]:
    start = _start()
    body: Any = {"refs": [{"rel": "ends", "entry": start.id}]}

    def decode(data: bytes) -> Any:
        facts = parse_json(data)
        found = check_seeds(facts if isinstance(facts, dict) else {}, body, start)
        if any(len(each) > MAX_LINE for each in found):
            raise AssertionError("a problem repeats what it complains about")
        return found

    return decode


def _ledger_seeds() -> bytes:
    start = _start()
    seed = derive_seed(start.header.hash, start.id)
    claimed = {"name": "", "seed": seed, "start": start.id.hex(), "block": start.header.hash.hex()}
    parent = chain().decisions[0].block.header.raw.hex()
    both = [{**claimed, "parent_header": parent}, {**claimed, "parent_header": ""}]
    return json.dumps({"ledger_seeds": both, "seeds": {"seed": seed}}).encode()


TARGETS = (
    Target(
        "metrics of a record",
        lambda data: points(parse_json(data)),
        (ValueError, RecursionError),
        ("notarium.values.series:_lines", "notarium.values.series:_point"),
        (seeds.metrics(),),
        dialect="json",
        max_bytes=8192,
    ),
    Target(
        "metrics as they are shown",
        _metrics,
        (ValueError, RecursionError),
        ("notarium.explaining.metrics:_column",),
        (seeds.metrics(),),
        dialect="json",
    ),
    Target(
        "record, shown and compared",
        _seen,
        _INVALID,
        ("notarium.verifying.recorded:read_time",),
        (_seen_record(), *seeds.statements(), *_large()),
        dialect="json",
    ),
    Target(
        "content of two files",
        _content,
        (),
        (
            "notarium.explaining.content:_npy",
            "notarium.explaining.content:_safetensors",
            "notarium.explaining.content:_table",
        ),
        (
            _TABLE + _PAIR + _TABLE.replace(b"7,49", b"7,50\nnew"),
            b"\n".join([b"a,1", b"b,2"] * 9) + _PAIR + b"\n".join([b"a,1", b"c,2"] * 9),
            len(_HEADER).to_bytes(8, "little") + _HEADER + _PAIR + bytes(9),
            _NPY + _PAIR + _NPY.replace(b"(3, 4)", b"(3, 5)"),
            # Each pair of lines matches one line of the other text, and no two in a row do.
            _alternating("x") + _PAIR + _alternating("y"),
            # Python's own parser takes hundreds of bytes for each of these.
            b"\x93NUMPY\x02\x00\x00\x00\x01\x00" + b"[]," * 21_845,
        ),
        dialect="text",
    ),
    Target(
        "file that a tool wrote again",
        _rewritten,
        (),
        (
            "notarium.explaining.rewriting:_as_json",
            "notarium.explaining.rewriting:_inflated",
            "notarium.explaining.rewriting:_operations",
            "notarium.explaining.rewriting:_unpacked",
            "notarium.explaining.rewriting:hint",
        ),
        (
            _TABLE.replace(b"\n", b"\r\n"),
            gzip.compress(_TABLE, mtime=1),
            bz2.compress(_TABLE),
            lzma.compress(_TABLE),
            _pickled(),
            b'{"a": [1, 2.5, "\xc3\xa9"], "b": {}}',
            _zip(zipfile.ZIP_STORED),
        ),
        dialect="text",
        # What was packed is inflated, up to a bound, twice.
        memory_bytes=4 * MAX_BYTES,
    ),
    Target(
        "zip of a submission",
        from_file("submission.zip", _unpacked),
        (ProjectError,),
        (
            "notarium.submissions.archive:unpacked",
            "notarium.submissions.archive:_Unpacking._unpack",
            "notarium.submissions.archive:_check_directory",
        ),
        (
            _zip(zipfile.ZIP_STORED),
            _zip(zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED),
            _zip(zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA),
            _bomb(),
        ),
        dialect="text",
        max_bytes=65_536,
    ),
    Target(
        "seeds from the ledger",
        _checked(),
        (ValueError, RecursionError),
        ("notarium.verifying.seeds:_problem",),
        (_ledger_seeds(),),
        dialect="json",
    ),
)
