# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a rebuild changes of a server's record, at once when it begins.  Pure."""

import msgspec

from nova_cells.domain import boot
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

PLAIN = ("name", "description", "hostname", "metadata", "access_ip_v4", "access_ip_v6",
         "disk_config", "trusted_certificates")


def renewed(server: model.Server, wanted: wants.Wanted) -> model.Server:
    """The server with the new image, and with what its owner gave anew."""
    given = wanted.renewal or wants.Renewal()
    fields = {name: getattr(given, name) for name in PLAIN
              if getattr(given, name) is not msgspec.UNSET}
    if given.key is not msgspec.UNSET:
        fields["key_name"] = given.key.name if given.key else None
    if given.user_data is not msgspec.UNSET:
        fields["has_user_data"] = given.user_data is not None
    if wanted.image is not None:
        fields["image"] = wanted.image
    return model.replace(server, **fields)


def request(before: boot.BootRequest, given: wants.Renewal) -> boot.BootRequest:
    """The boot request, with another key if one was given: who makes the guest reads it."""
    return before if given.key is msgspec.UNSET else model.replace(before, key=given.key)
