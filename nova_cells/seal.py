"""Sealing: what is secret is stored and sent encrypted, under a key of the deployment.

The API cell seals, the host that makes the guest opens; what lies between handles text that it
cannot read.  May assume a directory that only the service's user can read.  Never logs what it
seals.
"""

import os
import pathlib

from cryptography import fernet

from nova_cells.domain import boot, codec, consoles, errors


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

    def close_token(self, claims: consoles.Claims) -> str:
        """A token for a console: who has the key can read it, and nobody else make one."""
        return self._fernet.encrypt(_TOKEN + codec.pack(claims)).decode()

    def open_token(self, text: str, now: float) -> consoles.Claims | None:
        """What a token says; None if it is none of ours, or has ended."""
        try:
            data = self._fernet.decrypt(text.encode())
        except (fernet.InvalidToken, ValueError):
            return None
        if not data.startswith(_TOKEN):
            return None                  # sealed by us, but for something else
        claims = _claims(data.removeprefix(_TOKEN))
        return claims if now < claims.expires else None

    def close_secrets(self, secrets: boot.Secrets) -> boot.Sealed:
        """Sealed, the user data apart."""
        rest = boot.Secrets(admin_password=secrets.admin_password, files=secrets.files)
        once = self.close(codec.pack(rest)) if rest != boot.Secrets() else None
        data = self.close(secrets.user_data.encode() if secrets.user_data is not None else None)
        return boot.Sealed(once=_text(once), user_data=_text(data))

    def open_secrets(self, sealed: boot.Sealed) -> boot.Secrets:
        """In the clear."""
        once = self.open(sealed.once.encode()) if sealed.once else None
        data = self.open(sealed.user_data.encode()) if sealed.user_data else None
        rest = _secrets(once) if once else boot.Secrets()
        return boot.Secrets(admin_password=rest.admin_password, files=rest.files,
                            user_data=data.decode() if data is not None else None)


_secrets = codec.Unpacker(boot.Secrets)
_claims = codec.Unpacker(consoles.Claims)
_TOKEN = b"console token:"               # no other sealed value begins so


def _text(data: bytes | None) -> str | None:
    return data.decode() if data is not None else None
