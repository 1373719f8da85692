"""A server as its owner knows it: the whole record that travels up and is shown.

One frozen value.  The child cell that holds the placement owns it; until then the API cell
does.  May assume nothing about where it is stored.  Never holds a secret: what a boot needs
in secret travels in ``boot.Secrets``.

Times are seconds since the epoch, UTC, as floats; they are shown, never used to order
writes: (epoch, version) orders.
"""

import hashlib
import typing

import msgspec

_S = typing.TypeVar("_S", bound=msgspec.Struct)


@typing.dataclass_transform(frozen_default=True, kw_only_default=True,
                            field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the plain values inside records and messages."""


class Flavor(Value, kw_only=True):
    """A flavor, whole: cells look nothing up (wish K6)."""

    id: str                      # the flavor id that users see
    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = {}


class ImageFacts(Value, kw_only=True):
    """What booting needs to know of an image; its bytes are fetched by the host."""

    id: str
    name: str = ""
    disk_format: str = "raw"     # "raw" or "qcow2": always explicit, never probed
    container_format: str = "bare"
    size: int = 0                # bytes of the file in the image service
    min_disk: int = 0            # GiB
    min_ram: int = 0             # MiB
    checksum: str | None = None  # md5, what older image services give
    hash_algo: str | None = None
    hash_value: str | None = None
    properties: dict[str, str] = {}


class Fault(Value, kw_only=True):
    """Why a server is in error, in words for its owner; ``details`` for admins only."""

    code: int
    message: str
    created_at: float
    details: str | None = None


class Address(Value, kw_only=True):
    """One address of a server on one network."""

    network: str                 # label
    ip: str
    version: int                 # 4 or 6
    mac: str
    kind: str = "fixed"          # or "floating"
    port_id: str | None = None


class Interface(Value, kw_only=True):
    """A port of a server, as far as its documents show it."""

    errand: str                  # uuid of its errand
    port_id: str
    net_id: str
    mac: str
    tag: str | None = None
    made: bool = False           # by us, for this server: it goes with it
    groups: tuple[str, ...] = () # ids of security groups, while it is only wanted
    addresses: tuple[Address, ...] = ()


class Attachment(Value, kw_only=True):
    """A volume of a server, as far as its document shows it."""

    volume_id: str
    device: str | None = None
    delete_on_termination: bool = False
    errand: str = ""             # uuid of its errand
    attachment_id: str | None = None     # the volume service's; None while it is asked for
    tag: str | None = None
    boot_index: int | None = None        # 0: the server boots from it
    size: int = 0                # GiB
    multiattach: bool = False

    @property
    def root(self) -> bool:
        """Whether the server boots from it."""
        return self.boot_index == 0


class Server(Value, kw_only=True):
    """One server.  ``version`` grows by one with every change that anybody could see."""

    # who
    uuid: str
    project_id: str
    user_id: str
    # which placement, which state of it
    epoch: int
    version: int
    cell: str | None = None      # uuid of the owning child; None while the API cell owns it
    host: str | None = None
    node: str | None = None
    # lifecycle (see lifecycle.py, which alone writes these)
    rest: str = "building"
    verb: str | None = None
    phase: int = 0
    ticket: int = 0              # version at which the verb began
    want: dict[str, str] = {}    # what the verb wants, saved with the move
    power_state: int = 0         # 0 nostate 1 running 3 paused 4 shutdown 6 crashed 7 suspended
    progress: int = 0
    fault: Fault | None = None
    # what the owner gave
    name: str = ""
    description: str | None = None
    hostname: str = ""
    flavor: Flavor
    image: ImageFacts | None = None
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    config_drive: bool = False
    disk_config: str = "MANUAL"  # or "AUTO"
    hints: dict[str, list[str] | str] = {}
    security_groups: tuple[str, ...] = ("default",)
    locked: bool = False
    locked_reason: str | None = None
    locked_by: str | None = None # "owner" or "admin"
    reservation_id: str = ""
    launch_index: int = 0
    availability_zone: str | None = None
    pinned_availability_zone: str | None = None
    root_device_name: str | None = None
    instance_name: str | None = None
    trusted_certificates: tuple[str, ...] | None = None
    has_user_data: bool = False
    # what happened to it
    created_at: float
    updated_at: float | None = None
    launched_at: float | None = None
    terminated_at: float | None = None
    deleted_at: float | None = None
    shelved_image_id: str | None = None  # of a shelved server: the image that holds its disk
    shelved_at: float | None = None
    addresses: tuple[Address, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def deleted(self) -> bool:
        """True once nothing of it is left."""
        return self.rest == "deleted"

    @property
    def stamp(self) -> tuple[int, int]:
        """What orders two states of one server: (epoch, version)."""
        return (self.epoch, self.version)


def host_id(project_id: str, host: str | None) -> str:
    """The opaque host handle that tenants see: equal only within a project (api-ref)."""
    if not host:
        return ""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest()


def replace(value: _S, **changes: object) -> _S:
    """A copy of a frozen value with some fields changed."""
    return msgspec.structs.replace(value, **changes)
