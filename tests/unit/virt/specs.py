"""Guests to make, for tests."""

from nova_cells.domain import server as model
from nova_cells.virt import protocol

UUID = "6d9f1f0e-3d7a-4a55-8a53-1f2b3c4d5e6f"
IMAGE = model.ImageFacts(id="8d1c0a52-0000-4000-8000-000000000001", size=512)


def spec(properties=None, **how):
    """A spec; ``how`` goes to the spec, or else to the server."""
    fields = set(protocol.GuestSpec.__struct_fields__)
    own = {key: value for key, value in how.items() if key in fields}
    server = {key: value for key, value in how.items() if key not in fields}
    image = model.replace(IMAGE, properties=properties or {})
    return protocol.GuestSpec(**{
        "server": model.Server(**{
            "uuid": UUID, "project_id": "p", "user_id": "u", "epoch": 1, "version": 2,
            "created_at": 0.0, "image": image, "config_drive": True,
            "flavor": model.Flavor(id="1", name="tiny", vcpus=2, ram_mb=64, disk_gb=1), **server}),
        "epoch": 3, "ticket": 7, "name": "instance-1",
        "metadata": {"uuid": UUID, "hostname": "h"}, **own})
