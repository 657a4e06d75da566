"""A member enrols its researchers' keys, which may then write to the ledger in its name, and revokes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from notarium.key_files import Purpose, load_key
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium_ledger.entries.commitment import BODY_VERSION
from notarium_ledger.signing import SigningKey, is_valid_key
from notarium_ledger.state.genesis import Genesis


class EnrolmentError(Exception):
    """The key cannot be enrolled or revoked like this; the message says why and what to do."""


class MemberAction(StrEnum):
    """What a member does with a researcher's key; the kind of the entry."""

    ENROL = "enrol"
    REVOKE = "revoke"

    @property
    def result(self) -> str:
        """The key's status afterwards."""
        return {MemberAction.ENROL: "enrolled", MemberAction.REVOKE: "revoked"}[self]


@dataclass(frozen=True, slots=True)
class Authority:
    """In whose name, on which ledger and through which nodes."""

    genesis: Genesis
    nodes: list[str]
    """Base URLs of their APIs."""
    admin_key: Path
    """The member's governance key."""
    member: str | None = None
    """Needed only for members that joined after genesis."""

    def member_of(self, signer: SigningKey) -> str:
        """The member, by name or by its governance key. Raises EnrolmentError."""
        members = self.genesis.registry.members.values()
        found = self.member or next((each.id for each in members if each.key == signer.public), None)
        if found is None:
            raise EnrolmentError(
                f"the key in {self.admin_key} is not the governance key of a founding member: "
                "name a member that joined later with --member, or use the right key file"
            )
        return found


def submit(action: MemberAction, researcher: str, authority: Authority) -> VerifiedReceipt:
    """Enrol or revoke a researcher's public key (64 hex digits); returns the verified receipt of the entry.

    Raises EnrolmentError, KeyFileError or, from the client library, NotariumError.
    """
    key = _public_key(researcher)
    signer = load_key(authority.admin_key, Purpose.ADMIN)
    body = {"v": BODY_VERSION, "kind": action.value, "member": authority.member_of(signer), "key": key}
    with BlockingClient(authority.genesis, authority.nodes, signer) as client:
        receipt = client.submit(body)
        # Enrolling the same key again is the same entry, whose receipt does not show a revocation in between.
        if action is MemberAction.ENROL and _is_revoked(client, key.hex()):
            raise EnrolmentError(
                f"{researcher} was revoked, and a revoked key cannot be enrolled again: make a new key"
            )
        return receipt


def _is_revoked(client: BlockingClient, researcher: str) -> bool:
    try:
        return any(each["key"] == researcher and each["revoked"] for each in client.members()["researchers"])
    except (KeyError, TypeError) as error:
        raise EnrolmentError("the node does not list the researchers' keys: ask another with --url") from error


def _public_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if not is_valid_key(key):
        raise EnrolmentError(
            f"--key {text!r}: expected the 64 hex digits of an Ed25519 public key, as 'notarium init' prints them"
        )
    return key
