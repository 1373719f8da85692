# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The Compute API as a WSGI application, joined to a view and a client."""

from nova_cells.api import app, orders
from nova_cells.cmd import laptop
from nova_cells.image import loader as images
from nova_cells.network import loader as networks
from nova_cells.volume import loader as volumes


def load(conf, view, client, clock, ids, room=None):
    """The application.  ``room``: the images, if somebody has them open already."""
    room = room or images.load(conf)
    patience = orders.Settings(budget=conf.rpc.budget, delete_budget=conf.rpc.delete_budget)
    application = app.loadapp(conf, view, client, room, clock, ids,
                              orders=orders.Orders(view, ids, patience),
                              volumes=volumes.load(conf), network=networks.load(conf))
    if conf.api.auth_strategy == "noauth2" and hasattr(room, "list"):
        application = laptop.Laptop(application, room)
    return application
