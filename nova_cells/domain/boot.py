"""The boot request: all that creating a server needs, so that nobody looks anything up.

Immutable: a second attempt starts from the same request (law T21).  What is secret stands
apart in ``Secrets``, sealed at the top until the child confirmed, and in the child until the
guest runs; user data, which rebuild needs again, stays sealed in the child.
"""

from nova_cells.domain import server as model


class Key(model.Value, kw_only=True):
    """The public half of a key pair."""

    name: str
    kind: str                    # "ssh" or "x509"
    data: str


class BootRequest(model.Value, kw_only=True):
    """What was asked, resolved.  Flavor and image facts are in the server record."""

    key: Key | None = None
    forced_host: str | None = None           # an admin's az:host
    avoid_hosts: tuple[tuple[str, str], ...] = ()   # (cell uuid, host) of different_host
    only_hosts: tuple[tuple[str, str], ...] = ()    # (cell uuid, host) of same_host
    networks: str = "none"                   # "none" or "auto" until there is a network room
    retries: int = 3                         # hosts of a cell to try
    created_with: str = "2.1"                # microversion of the request


class Secrets(model.Value, kw_only=True):
    """What must never be shown: sealed at rest, unsealed where the guest is made."""

    admin_password: str | None = None
    user_data: str | None = None             # base64, as the API takes it
    files: tuple[tuple[str, str], ...] = ()  # path, base64 contents (personality, <= 2.56)
