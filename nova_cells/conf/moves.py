# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of moves between hosts, under Nova's names."""

from oslo_config import cfg

DEFAULT = [
    cfg.BoolOpt("allow_resize_to_same_host", default=False,
                help="Whether a resize may leave a server on the host where it is. Read by the "
                     "API. Needed where a cell has one host; a cold migration never does."),
    cfg.IntOpt("resize_confirm_window", default=0, min=0,
               help="Seconds after which a resize or cold migration that nobody confirmed is "
                    "confirmed by its cell. 0: never. Read by the conductors."),
]

OPTS = {"DEFAULT": DEFAULT}
