"""Sealing: what is secret is stored encrypted, under a key that lies beside the databases.

May assume a directory that only the service's user can read.  Never logs what it seals.
"""

import os
import pathlib

from cryptography import fernet

from nova_cells.domain import errors


class Seal:
    """Encrypts and decrypts small secrets (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._fernet = fernet.Fernet(key)

    @classmethod
    def fresh(cls) -> "Seal":
        """A seal whose key nobody keeps: for tests and simulations."""
        return cls(fernet.Fernet.generate_key())

    @classmethod
    def at(cls, path: str) -> "Seal":
        """The seal whose key is in this file; made, readable by its owner only, if missing."""
        file = pathlib.Path(path)
        if not file.exists():
            temporary = file.with_suffix(f".{os.getpid()}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(fernet.Fernet.generate_key())
                stream.flush()
                os.fsync(stream.fileno())
            try:
                os.link(temporary, file)         # whoever links first wins
            except FileExistsError:
                pass
            temporary.unlink()
        try:
            return cls(file.read_bytes())
        except ValueError:
            raise errors.Invalid(f"{path} does not hold a key; restore it from a backup: what "
                                 f"was sealed with it cannot be read otherwise") from None

    def close(self, data: bytes | None) -> bytes | None:
        """Encrypted; None stays None."""
        return None if data is None else self._fernet.encrypt(data)

    def open(self, data: bytes | None) -> bytes | None:
        """Decrypted; None stays None."""
        if data is None:
            return None
        try:
            return self._fernet.decrypt(data)
        except fernet.InvalidToken:
            raise errors.Bug("a sealed value does not open: was the key file replaced?") from None
