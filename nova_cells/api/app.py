# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Makes the WSGI application: options registered, services joined, layers stacked by paste.

``loadapp`` is the only door.  Everything is handed in: nothing here opens a database, a bus or
a clock, and nothing reads the global configuration.
"""

import pathlib
import sys
import typing

from oslo_config import cfg
from paste import deploy

from nova_cells.api import compute, dispatch, pipeline, policy
from nova_cells.api import orders as api_orders
from nova_cells.api import pulse as pulses
from nova_cells.api import request as requests
from nova_cells.conf import api as options
from nova_cells.conf import deletion, moves, servers
from nova_cells.conf import volume as volume_options
from nova_cells.db.view import liveness
from nova_cells.domain import errors
from nova_cells.network import none as no_networks
from nova_cells.volume import none


def register(conf: cfg.ConfigOpts) -> None:
    """Register the API's own options."""
    for module in (options, deletion, moves, servers, volume_options):
        for group, opts in module.OPTS.items():
            conf.register_opts(opts, group=None if group == "DEFAULT" else group)


def paste_file(conf: cfg.ConfigOpts) -> str:
    """Where the file of layers is: as named, beside the configuration, or as installed."""
    name = conf.wsgi.api_paste_config
    here = pathlib.Path(__file__).resolve().parents[2]
    places = [pathlib.Path(name), pathlib.Path("/etc/nova-cells") / name,
              pathlib.Path(sys.prefix) / "etc" / "nova-cells" / name,
              here / "etc" / "nova-cells" / name]
    found = None if pathlib.Path(name).is_absolute() else conf.find_file(name)
    if found:
        places.insert(0, pathlib.Path(found))
    for place in places:
        if place.is_file():
            return str(place.resolve())
    raise errors.Invalid(f"there is no {name}; [wsgi] api_paste_config names the file that "
                         f"lists the layers of the API")


def loadapp(conf: cfg.ConfigOpts, view: typing.Any, client: typing.Any, images: typing.Any,
            clock: typing.Any, ids: typing.Any,
            orders: typing.Any = None, volumes: typing.Any = None,
            network: typing.Any = None) -> typing.Callable:
    """The WSGI application.  ``conf`` is private: a ConfigOpts of this process's own."""
    register(conf)
    services = requests.Services(
        conf=conf, view=view, client=client, images=images, clock=clock, ids=ids,
        orders=orders or api_orders.Orders(view, ids), volumes=volumes or none.NoVolumes(),
        policy=policy.Policy(policy.make_enforcer(conf)),
        silent=liveness.Silent(clock.monotonic), pulse=pulses.Pulse(clock.monotonic),
        network=network or no_networks.NoNetworks())
    with pipeline.loading(services, dispatch.Application(services, compute.actions())):
        return deploy.loadapp(f"config:{paste_file(conf)}", name="main")
