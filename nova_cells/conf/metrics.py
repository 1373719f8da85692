# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the figures and of health: where a process tells them."""

from oslo_config import cfg

METRICS = [
    cfg.HostAddressOpt("bind_host", default="127.0.0.1",
                       help="The address on which a process tells its figures (/metrics), whether "
                            "it is alive (/healthz) and whether it is ready (/readyz). No token is "
                            "asked for: choose an address that only operators reach."),
    cfg.PortOpt("port", default=0,
                help="The port for that; 0: none. Of several processes with the same port on one "
                     "machine the first serves, and the next takes over when it ends."),
]

OPTS = {"metrics": METRICS}
