"""A member's word on its researchers: who may write to the ledger in its name, and who may no longer."""

from __future__ import annotations

from pathlib import Path

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium_ledger.entries.commitment import BODY_VERSION
from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.genesis import Genesis
from notarium_node.identity.keys import Purpose, load_key


class EnrolmentError(Exception):
    """The key cannot be enrolled or revoked like this; the message says why and what to do."""


def speak(
    kind: str, researcher: str, genesis: Genesis, nodes: list[str], admin_key: Path, member: str | None
) -> VerifiedReceipt:
    """Submit an `enrol` or `revoke` for a researcher's public key (64 hex digits); returns the verified receipt.

    `member`: needed only for members that joined after genesis. Raises EnrolmentError, KeyFileError or, from the
    client library, NotariumError.
    """
    key = _public_key(researcher)
    signer = load_key(admin_key, Purpose.ADMIN)
    if member is None:
        member = next((each.id for each in genesis.registry.members.values() if each.key == signer.public), None)
    if member is None:
        raise EnrolmentError(
            f"the key in {admin_key} is not the governance key of a founding member: "
            "name a member that joined later with --member, or take the right key file"
        )
    body = {"v": BODY_VERSION, "kind": kind, "member": member, "key": key}
    with BlockingClient(genesis, nodes, signer) as client:
        receipt = client.submit(body)
        # The same word said again is the same entry, which says nothing of what came after it.
        if kind == "enrol" and _is_revoked(client, key.hex()):
            raise EnrolmentError(f"{researcher} was revoked, and a revoked key never comes back: make a new one")
        return receipt


def _is_revoked(client: BlockingClient, researcher: str) -> bool:
    try:
        return any(each["key"] == researcher and each["revoked"] for each in client.members()["researchers"])
    except (KeyError, TypeError) as error:
        raise EnrolmentError("the node does not list the researchers' keys: ask another with --url") from error


def read_genesis(path: Path) -> Genesis:
    """The genesis file at `path`, for whoever has no node.toml at hand. Raises EnrolmentError or InvalidGenesis."""
    try:
        return Genesis.decode_json(path.read_bytes())
    except OSError as error:
        raise EnrolmentError(f"cannot read the genesis file {path}: {error.strerror}") from error


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
