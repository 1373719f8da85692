# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options about what becomes of servers, by Nova's names, where Nova has them: in [DEFAULT]."""

from oslo_config import cfg

DEFAULT = [
    cfg.IntOpt("shelved_offload_time", default=0,
               help="Seconds after which a shelved server gives up its host, read by the "
                    "conductors of a cell: 0 at once, below 0 never. Until then it comes back on "
                    "its host, which is faster."),
    cfg.IntOpt("shelved_poll_interval", default=3600,
               help="Seconds between looks for shelved servers whose time has come; 0 or less: "
                    "none is offloaded by itself, but those that are offloaded at once."),
    cfg.ListOpt("non_inheritable_image_properties", default=["cache_in_nova", "bittorrent"],
                help="Properties of a server's image that an image made of the server does not "
                     "inherit. Those of encryption keys and of signatures never are."),
]

OPTS = {"DEFAULT": DEFAULT}
