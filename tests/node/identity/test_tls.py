"""Certificates are a function of the key, never expire, and only listed ones are let in."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import NodeRecord
from notarium_node.identity import tls

ALICE, BOB, EVE = (bytes([number]) * 32 for number in (1, 2, 3))
CERTIFICATES = {seed: tls.make_certificate(seed) for seed in (ALICE, BOB, EVE)}


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends of an in-memory TLS connection, after one byte each way."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    two = client.wrap_bio(to_client, to_server)
    pending = [two, one]
    for _ in range(10):
        for side in list(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not pending
    one.write(b"x")
    assert two.read(1) == b"x"
    return one, two


def test_a_certificate_is_deterministic_and_does_not_expire():
    assert tls.make_certificate(ALICE) == CERTIFICATES[ALICE] != CERTIFICATES[BOB]
    parsed = x509.load_der_x509_certificate(CERTIFICATES[ALICE])
    key = SigningKey(ALICE).public
    assert tls.certificate_key(CERTIFICATES[ALICE]) == key
    assert parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == key.hex()
    assert parsed.not_valid_after_utc == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert parsed.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)


def test_listed_peers_know_each_other():
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [CERTIFICATES[BOB]])
    client = tls.client_context(CERTIFICATES[BOB], BOB, [CERTIFICATES[ALICE]])
    one, two = handshake(server, client)
    record = NodeRecord("bob", "validator", SigningKey(BOB).public, CERTIFICATES[BOB], "bob:1")
    assert one.version() == "TLSv1.3"
    assert tls.NodeDirectory({record.key: record}).identify(one) == record
    assert tls.NodeDirectory({record.key: record}).identify(two) is None
    assert tls.NodeDirectory({}).identify(one) is None


def test_a_stranger_is_refused_by_either_side():
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [CERTIFICATES[BOB]])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, tls.client_context(CERTIFICATES[EVE], EVE, [CERTIFICATES[ALICE]]))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, tls.client_context(CERTIFICATES[BOB], BOB, [CERTIFICATES[EVE]]))


def test_no_certificate_and_old_versions_are_refused():
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [CERTIFICATES[BOB]])
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ssl.SSLError):
        handshake(server, bare)
    old = tls.client_context(CERTIFICATES[BOB], BOB, [CERTIFICATES[ALICE]])
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(server, old)


def test_trust_grows_on_a_live_context():
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [])
    client = tls.client_context(CERTIFICATES[BOB], BOB, [CERTIFICATES[ALICE]])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client)
    tls.trust(server, [CERTIFICATES[BOB], CERTIFICATES[BOB]])
    handshake(server, client)


def test_junk_in_one_record_does_not_keep_others_out():
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [b"\0" * 100])
    tls.trust(server, [b"junk" * 20, CERTIFICATES[BOB], CERTIFICATES[EVE][:-1]])
    handshake(server, tls.client_context(CERTIFICATES[BOB], BOB, [CERTIFICATES[ALICE]]))


def test_a_listed_certificate_cannot_vouch_for_another():
    """A member signs a second certificate with its listed key: the directory knows exact bytes only."""
    issuer = x509.load_der_x509_certificate(CERTIFICATES[BOB])
    forged = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "carol")]))
        .issuer_name(issuer.subject)
        .public_key(Ed25519PrivateKey.from_private_bytes(EVE).public_key())
        .serial_number(7)
        .not_valid_before(tls.NOT_BEFORE)
        .not_valid_after(tls.NOT_AFTER)
        .sign(Ed25519PrivateKey.from_private_bytes(BOB), algorithm=None)
        .public_bytes(serialization.Encoding.DER)
    )
    server = tls.server_context(CERTIFICATES[ALICE], ALICE, [CERTIFICATES[BOB]])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, tls.client_context(forged, EVE, [CERTIFICATES[ALICE]]))
    with pytest.raises(tls.CertificateError, match="self-signed"):
        tls.certificate_key(forged)


def test_a_key_that_does_not_fit_its_certificate_is_refused():
    with pytest.raises(tls.CertificateError, match="is not that of this node's certificate"):
        tls.server_context(CERTIFICATES[ALICE], BOB, [])


@pytest.mark.parametrize("data", [b"", b"junk", b"\0" * 5000, CERTIFICATES[ALICE][:-1] + b"\0"])
def test_junk_is_no_certificate(data):
    with pytest.raises(tls.CertificateError):
        tls.certificate_key(data)
