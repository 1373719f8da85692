# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""When what was deleted is gone: the API and the conductors of cells read it, and must agree."""

from oslo_config import cfg

DELETION = [
    cfg.IntOpt("reclaim_instance_interval", default=0, min=0,
               help="Seconds for which a deleted server is kept, off and out of the quota, and can "
                    "be restored; then its cell deletes it for good. 0: a delete is for good at "
                    "once. The API and the conductors of all cells must have the same value: with "
                    "0 in a conductor, nothing is ever reclaimed there. While a cell is down its "
                    "servers cannot be deleted softly (503); forceDelete is kept for it."),
]

OPTS = {"DEFAULT": DELETION}
