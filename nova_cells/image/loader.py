"""Chooses the source of images from the configuration.

May assume the options of ``conf.image`` (registered here if nobody has).
"""

from oslo_config import cfg

from nova_cells.conf import image as options
from nova_cells.image import cached, fake, protocol


def load(conf: cfg.ConfigOpts) -> protocol.ImageRoom:
    """The image room that ``[glance] source`` names."""
    for group, opts in options.OPTS.items():
        conf.register_opts(opts, group=group)
    if conf.glance.source == "fake":
        return fake.FakeImages()
    from nova_cells.image import glance
    return cached.CachedImages(glance.from_conf(conf), conf.glance.facts_ttl)
