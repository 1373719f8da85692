"""Key material: fingerprints of public keys, and key pairs made for clients up to 2.91.

Pure but for randomness.  A private key is returned once and kept nowhere.
"""

import base64
import binascii
import datetime
import hashlib
import typing

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509 import oid

from nova_cells.domain import errors

CERTIFICATE_DAYS = 3650
RSA_BITS = 2048
#: The object identifier of a user principal name inside a subject's alternative name.
PRINCIPAL = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class Made(typing.NamedTuple):
    """A new key pair, as text."""

    private: str
    public: str
    fingerprint: str


def fingerprint(kind: str, public: str) -> str:
    """MD5 of an ssh key's blob, or SHA-1 of a certificate, in hexadecimal pairs.

    Raises ``Invalid`` for what is not a public key of that kind.
    """
    try:
        return _certificate_print(public) if kind == "x509" else _ssh_print(public)
    except (ValueError, IndexError, UnicodeError, binascii.Error,
            exceptions.UnsupportedAlgorithm):
        raise errors.Invalid("Keypair data is invalid: no fingerprint can be made of this "
                             "public key") from None


def generate(kind: str, user: str, now: float) -> Made:
    """A new key pair: Ed25519 for ssh, RSA with a self-signed certificate for x509."""
    return _certificate(user, now) if kind == "x509" else _ssh()


def _pairs(digest: bytes) -> str:
    return digest.hex(":")


def _ssh_print(public: str) -> str:
    text = public.strip()
    serialization.load_ssh_public_key(text.encode())
    blob = base64.b64decode(text.split()[1], validate=True)
    return _pairs(hashlib.md5(blob, usedforsecurity=False).digest())


def _certificate_print(public: str) -> str:
    certificate = x509.load_pem_x509_certificate(public.encode())
    # SHA-1 because clients show it; it protects nothing.
    return _pairs(certificate.fingerprint(hashes.SHA1()))  # nosec B303


def _ssh() -> Made:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(serialization.Encoding.PEM,
                                serialization.PrivateFormat.OpenSSH,
                                serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH,
                                           serialization.PublicFormat.OpenSSH).decode()
    return Made(private, public, _ssh_print(public))


def _certificate(user: str, now: float) -> Made:
    """A client's certificate whose principal is the user, as Windows guests want it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, user[:64])])
    start = datetime.datetime.fromtimestamp(now, datetime.UTC)
    principal = f"{user}@localhost".encode()[:127]
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(
            PRINCIPAL, bytes([0x0C, len(principal)]) + principal)]), False)   # UTF8String
        .sign(key, hashes.SHA256()))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Made(private, public, _certificate_print(public))
