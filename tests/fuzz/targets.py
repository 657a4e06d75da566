"""The table: every decoder of outside bytes. A new one gets a line in one of the lists (test_table.py insists)."""

from __future__ import annotations

from tests.fuzz import (
    targets_backup,
    targets_client,
    targets_evidence,
    targets_explaining,
    targets_http,
    targets_ledger,
    targets_observing,
    targets_operator,
    targets_peers,
)
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *targets_ledger.LEDGER,
    *targets_ledger.AGREEMENT,
    *targets_ledger.STORE,
    *targets_peers.WIRE,
    *targets_http.HTTP,
    *targets_operator.FILES,
    *targets_backup.BACKUPS,
    *targets_client.ANSWERS,
    *targets_client.PROJECT,
    *targets_evidence.TARGETS,
    *targets_explaining.TARGETS,
    *targets_observing.TARGETS,
)

_OWN = "reads what this program made or checked itself"
_LOCAL = "reads what the user typed on the command line; a mistake is reported as such (tests/node/operator/cli)"
_INSIDE = "calls decoders of this table on what the store holds, whose damage is tested in tests/store"
EXEMPT: dict[str, str] = {
    "notarium.anchoring.anchor:_described": _OWN,
    "notarium.anchoring.commit:make_body": _OWN,
    "notarium.anchoring.delivery:_renewed_body": _OWN,
    "notarium.anchoring.earlier:Earlier.id": _OWN,
    "notarium.anchoring.references:reference": "target: entry id",
    "notarium.anchoring.run_facts:RunFacts.fields": _OWN,
    "notarium.values.secrets:Secrets.__init__": "takes any text: what is no salt is not used",
    "notarium.cli.showing:_names_in_log": "target: journal; an id that is none gives no names",
    "notarium.cli.export:export": "target: record",
    "notarium.cli.verify:_target": _LOCAL,
    "notarium.observing.accelerators:_Nvml.read": "asks a library that the run has loaded itself; reads no bytes",
    "notarium.verifying.verification:Verifying._verify_by_subjects": "a digest of the cache (target: digest cache)",
    "notarium.ledger_access.receipt_file:load_receipt": "target: receipt, in any form",
    "notarium_consensus.permission:Permission._of_marker": "takes any bytes: what cannot be read is a lost memory",
    "notarium_consensus.permission:Permission.read": "sorts the record's parts (target: record: fence)",
    "notarium_ledger.entries.entry:encode_body": _OWN,
    "notarium_node.health.certificate:read_expiry_ms": "reads the operator's own certificate, which TLS has loaded",
    "notarium_node.operator.cli.founding:_researcher": _LOCAL,
    "notarium_node.operator.enrolment:_public_key": _LOCAL,
    "notarium_node.demo.local_network:LocalNetwork.open": "for tests and demonstrations: reads what it wrote",
    "notarium_node.demo.local_network:_who_locked": "takes what the kernel fills in",
    "notarium_node.demo.study:Study._read": "for demonstrations: reads what it wrote",
    "notarium_node.demo.local_network:LocalNode.get": "for tests and demonstrations",
    "notarium_node.demo.local_network:LocalNode.public_key": "for tests and demonstrations",
    "notarium_node.catchup.replay:_decode": "target: decision",
    "notarium_store.opening:_decode_validators": _INSIDE,
    "notarium_store.opening:load": _INSIDE,
    "notarium_store.opening:load_base": _INSIDE,
    "notarium_store.opening:load_owner": _INSIDE,
    "notarium_store.registry_records:read": _INSIDE,
    "notarium_store.lookups:read_decision": _INSIDE,
    "notarium_store.store:Store._load": _INSIDE,
}
"""Functions that look like decoders of outside bytes and are not: "module:qualified name" -> why."""


def by_name(name: str) -> Target:
    """The target of that name. Raises KeyError."""
    return {each.name: each for each in TARGETS}[name]
