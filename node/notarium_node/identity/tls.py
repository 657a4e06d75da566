"""TLS between nodes: version 1.3 only, both sides show a certificate, and a peer is the key in its certificate.

There is no certificate authority, no host name and no expiry: the ledger's registry lists every node's self-signed
certificate, and exactly those are trusted. OpenSSL proves that the peer has the private key; `NodeDirectory` identifies
the peer by the exact bytes of the certificate. So a removed node is a stranger at once, although OpenSSL's store, from
which nothing can be removed, still has its certificate.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import PublicKey

NOT_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: "no well-defined expiration date". The registry, not a calendar, ends a certificate's life."""
MAX_CERTIFICATE_BYTES = 4096


class CertificateError(Exception):
    """A certificate that cannot represent a node's transport key."""


def make_certificate(seed: bytes) -> bytes:
    """The self-signed X.509 certificate (DER) of the transport key with `seed`; the same seed gives the same bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, raw.hex())])
    # RFC 5280, 4.1.2.2: positive and at most 20 bytes; 19 bytes can never look negative.
    serial = int.from_bytes(sha256(raw).digest()[:19], "big") or 1
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, algorithm=None)
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def certificate_key(certificate: bytes) -> PublicKey:
    """The Ed25519 key in a self-signed certificate (DER). Raises CertificateError for anything else."""
    if len(certificate) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"{len(certificate)} bytes, at most {MAX_CERTIFICATE_BYTES} allowed")
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key = parsed.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise CertificateError("its key is not Ed25519")
        parsed.verify_directly_issued_by(parsed)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise CertificateError("not a self-signed X.509 certificate in DER form") from error
    return PublicKey(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def server_context(certificate: bytes, seed: bytes, trusted: Iterable[bytes]) -> ssl.SSLContext:
    """For the listening side. `certificate` and `trusted` in DER, `seed` of the transport key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # No session tickets: every connection proves its key again, so that removal from the registry takes effect.
    context.num_tickets = 0
    _prepare(context, certificate, seed, trusted)
    return context


def client_context(certificate: bytes, seed: bytes, trusted: Iterable[bytes]) -> ssl.SSLContext:
    """For the dialling side. `certificate` and `trusted` in DER, `seed` of the transport key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The identity is the key, not the host name.
    context.check_hostname = False
    _prepare(context, certificate, seed, trusted)
    return context


def trust(context: ssl.SSLContext, certificates: Iterable[bytes]) -> None:
    """Trust these certificates (DER) too, from the next handshake on. Certificates that are trusted already do no harm.

    Bytes that are not a certificate of a transport key are left out. The registry does not interpret these bytes, so a
    record may have anything that its member wrote. Then its node cannot connect, but the others must.
    """
    usable = b"".join(each for each in certificates if is_usable(each))
    if usable:
        context.load_verify_locations(cadata=usable)


def is_usable(certificate: bytes) -> bool:
    """Whether `certificate` can represent a node's transport key."""
    try:
        certificate_key(certificate)
    except CertificateError:
        return False
    return True


class NodeDirectory:
    """The node records by the bytes of their certificates."""

    __slots__ = ("_by_certificate",)

    def __init__(self, nodes: Mapping[PublicKey, NodeRecord]) -> None:
        self._by_certificate = {record.certificate: record for record in nodes.values()}

    def identify(self, connection: ssl.SSLObject | None) -> NodeRecord | None:
        """The node at the other end of an established TLS connection, or None for a stranger."""
        if connection is None:
            return None
        certificate = connection.getpeercert(binary_form=True)
        return None if certificate is None else self._by_certificate.get(certificate)


def _prepare(context: ssl.SSLContext, certificate: bytes, seed: bytes, trusted: Iterable[bytes]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    with _secret_file(_key_and_certificate_pem(certificate, seed)) as path:
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as error:
            # OpenSSL's KEY_VALUES_MISMATCH.
            raise CertificateError(
                "the key of node.transport_key is not that of this node's certificate on the ledger: "
                "restore the right key file"
            ) from error
    trust(context, trusted)


def _key_and_certificate_pem(certificate: bytes, seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key + ssl.DER_cert_to_PEM_cert(certificate).encode()


@contextmanager
def _secret_file(content: bytes) -> Iterator[str]:
    """A path where only this process can read `content`; in memory, never on a disk."""
    # The ssl module takes key material by file name only.
    descriptor = os.memfd_create("notarium-tls", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
