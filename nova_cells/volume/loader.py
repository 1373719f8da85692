# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Chooses the source of volumes from the configuration.

May assume the options of ``conf.volume`` (registered here if nobody has).
"""

import functools

from oslo_config import cfg

from nova_cells.conf import volume as options
from nova_cells.volume import fake, none, protocol


def load(conf: cfg.ConfigOpts) -> protocol.VolumeRoom:
    """The volume room that ``[cinder] source`` names."""
    for group, opts in options.OPTS.items():
        conf.register_opts(opts, group=group)
    match conf.cinder.source:
        case "none":
            return none.NoVolumes()
        case "fake":
            return _fake()
    from nova_cells.volume import cinder
    return cinder.from_conf(conf)


@functools.cache
def _fake() -> fake.FakeVolumes:
    """One for the process: its API and its hosts speak of the same volumes."""
    return fake.FakeVolumes()
