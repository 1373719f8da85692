# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The rooms that a host works with: where images, ports and volumes come from.

May assume that each keeps the promises of its ``protocol``.  None: this deployment has no such
service, and nothing of the kind is asked of a host.
"""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rooms:
    """Handed in by ``cmd``."""

    images: typing.Any = None            # image.protocol.ImageRoom
    network: typing.Any = None           # network.protocol.HostRoom
    volume: typing.Any = None            # volume.protocol
