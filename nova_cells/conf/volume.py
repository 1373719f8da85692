# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the volume room.  The service user is that of ``conf.image``.

May assume nothing but oslo.config.
"""

from oslo_config import cfg

CINDER = [
    cfg.StrOpt("source", default="none",
               choices=[("none", "there are no volumes"),
                        ("cinder", "the Block Storage service, version 3, as the service user of "
                                   "[service_user]"),
                        ("fake", "a mock inside one process, for development and simulation")],
               help="Where volumes come from."),
    cfg.StrOpt("endpoint_override",
               help="URL of the volume service, up to /v3. Default: the one in the catalogue."),
    cfg.StrOpt("os_region_name", help="Region of the volume service in the catalogue."),
    cfg.ListOpt("valid_interfaces", default=["internal", "public"],
                help="Interfaces of the volume service in the catalogue, best first."),
    cfg.IntOpt("timeout", default=60, min=1,
               help="Seconds without a byte until the volume service counts as unreachable."),
    cfg.IntOpt("http_retries", default=3, min=0,
               help="How often a connection to the volume service is tried again."),
    cfg.BoolOpt("cross_az_attach", default=True,
                help="Whether a volume may be attached to a server of another availability "
                     "zone."),
]

OPTS = {"cinder": CINDER}
