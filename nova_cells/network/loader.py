# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Chooses the source of networks from the configuration.

May assume the options of ``conf.network`` (registered here if nobody has).
"""

import functools

from oslo_config import cfg

from nova_cells.conf import network as options
from nova_cells.network import fake, none, protocol


def load(conf: cfg.ConfigOpts) -> protocol.NetworkRoom:
    """The network room that ``[neutron] source`` names."""
    for group, opts in options.OPTS.items():
        conf.register_opts(opts, group=group)
    match conf.neutron.source:
        case "none":
            return none.NoNetworks()
        case "fake":
            return _fake()
    from nova_cells.network import neutron
    return neutron.from_conf(conf)


@functools.cache
def _fake() -> fake.FakeNetworks:
    """One for the process: its hosts and its API see the same ports."""
    room = fake.FakeNetworks()
    room.add_network("private", cidr="10.1.0.0/20", shared=True)
    return room
