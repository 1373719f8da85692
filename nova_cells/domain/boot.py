"""The boot request: all that creating a server needs, so that nobody looks anything up.

Immutable: a second attempt starts from the same request (law T21).  What is secret stands
apart in ``Secrets``: sealed where the request comes in, opened on the host that makes the guest,
and nowhere between, neither on a bus nor in a database.
"""

from nova_cells.domain import errands, groups
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
    group: groups.Group | None = None        # whose policy it keeps
    networks: str = "none"                   # "none" or "auto" until there is a network room
    attached: tuple[errands.Errand, ...] = ()    # to be attached: the cell gives each its uuid
    retries: int = 3                         # hosts of a cell to try
    created_with: str = "2.1"                # microversion of the request


class Sealed(model.Value, kw_only=True):
    """Secrets, encrypted: what is stored and what travels.  Text of ``seal.Seal``."""

    once: str | None = None                  # all but the user data; purged once the guest runs
    user_data: str | None = None             # kept, for rebuild needs it again


class Secrets(model.Value, kw_only=True):
    """What must never be shown, in the clear: in the API's and the host's memory only."""

    admin_password: str | None = None
    user_data: str | None = None             # base64, as the API takes it
    files: tuple[tuple[str, str], ...] = ()  # path, base64 contents (personality, <= 2.56)
