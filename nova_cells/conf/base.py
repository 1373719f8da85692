# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options that every process has: where state lives, what this machine is called, how it runs."""

import os
import pathlib
import socket

from oslo_config import cfg
from oslo_service import _options


def default_state_path() -> str:
    """/var/lib for the administrator, the user's own data directory for everybody else."""
    if os.geteuid() == 0:
        return "/var/lib/nova-cells"
    home = os.environ.get("XDG_DATA_HOME") or str(pathlib.Path.home() / ".local" / "share")
    return os.path.join(home, "nova-cells")


DEFAULT = [
    cfg.StrOpt("state_path", default=default_state_path(), sample_default="/var/lib/nova-cells",
               help="The directory under which all state lives: databases, keys, guests of the "
                    "fake driver, the log of the stand-alone process."),
    cfg.StrOpt("secrets_key_file",
               help="The file with the key that user data, admin passwords and injected files are "
                    "sealed with: by the API when a server is created, until the host opens them "
                    "that makes the guest. The API cell and the hosts of its cells must have the "
                    "same one; made if missing. Default: secrets.key under state_path."),
    cfg.StrOpt("host", default=socket.gethostname(), sample_default="<hostname>",
               help="The name of this host in its cell. Need not be unique among cells."),
    cfg.StrOpt("concurrency_backend", default="threading", choices=["threading", "eventlet"],
               help="What services run on. Read before anything else; the environment variable "
                    "NOVA_CELLS_CONCURRENCY_BACKEND wins over it."),
]

# oslo.service's own, with a patience that suits work that can be taken up again by others.
cfg.set_defaults(_options.service_opts, graceful_shutdown_timeout=10)

OPTS = {"DEFAULT": DEFAULT + _options.service_opts}
