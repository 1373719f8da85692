# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the network room.  The service user is that of ``conf.image``.

May assume nothing but oslo.config.
"""

from oslo_config import cfg

NEUTRON = [
    cfg.StrOpt("source", default="none",
               choices=[("none", "there are no networks: servers have no interfaces"),
                        ("neutron", "the Networking service, version 2.0, as the service user of "
                                    "[service_user]"),
                        ("fake", "a mock inside one process, with one shared network, for "
                                 "development and simulation")],
               help="Where networks come from."),
    cfg.StrOpt("endpoint_override",
               help="URL of the network service. Default: the one in the catalogue."),
    cfg.StrOpt("region_name", help="Region of the network service in the catalogue."),
    cfg.ListOpt("valid_interfaces", default=["internal", "public"],
                help="Interfaces of the network service in the catalogue, best first."),
    cfg.IntOpt("timeout", default=60, min=1,
               help="Seconds without a byte until the network service counts as unreachable."),
    cfg.IntOpt("http_retries", default=3, min=0,
               help="How often a connection to the network service is tried again."),
]

OPTS = {"neutron": NEUTRON}
