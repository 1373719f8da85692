# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a verb wants, beside its name: saved with the move, carried by every task of it.

One value for all verbs, so that there is one way for it to be saved, sent and dropped.  It is
never shown and never goes up; what is secret in it is sealed (decision 0010).  It dies with the
verb.
"""

import msgspec

from nova_cells.domain import boot
from nova_cells.domain import migration as moves
from nova_cells.domain import server as model

#: Words of ``Wanted.options`` of a backup: what kind, how many are kept, whose they may be.
KIND, ROTATION, OWNER = "backup_type", "rotation", "owner"
#: Of unshelve: the zone to be pinned to, or to none.
ZONE, UNPIN = "availability_zone", "unpin"


class Renewal(model.Value, kw_only=True):
    """What an owner gives anew with a rebuild.  A field left ``UNSET`` stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | None | msgspec.UnsetType = msgspec.UNSET
    hostname: str | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    access_ip_v4: str | None | msgspec.UnsetType = msgspec.UNSET
    access_ip_v6: str | None | msgspec.UnsetType = msgspec.UNSET
    disk_config: str | msgspec.UnsetType = msgspec.UNSET
    trusted_certificates: tuple[str, ...] | None | msgspec.UnsetType = msgspec.UNSET
    key: boot.Key | None | msgspec.UnsetType = msgspec.UNSET
    user_data: str | None | msgspec.UnsetType = msgspec.UNSET    # sealed


class Wanted(model.Value, kw_only=True):
    """All that the tasks of one verb need and the server's record does not say."""

    image: model.ImageFacts | None = None    # to boot from: rebuild, rescue
    flavor: model.Flavor | None = None       # to become: resize
    host: str | None = None                  # to go to, if it was asked for
    image_id: str | None = None              # the image that is to be filled: snapshot, backup
    options: dict[str, str] = {}             # words of this verb; its module says which
    secrets: boot.Sealed = boot.Sealed()     # a new password, for one
    user_id: str = ""                        # who asked; the conductor fills it in
    project_id: str = ""
    migration: moves.Migration | None = None     # of a verb that moves: as it was when it began
    renewal: Renewal | None = None           # what is given anew: rebuild
    former: model.ImageFacts | None = None   # the image before, which a failed rebuild shows again
    leg: str = ""                            # which part of a verb of several hosts; "": the first
    abandoned: str | None = None             # an image that an interrupted verb was to fill
