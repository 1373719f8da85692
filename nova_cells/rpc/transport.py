# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Transports: opening one by its URL, and writing a URL without its secrets.

A private ConfigOpts lacks option groups that oslo.messaging reads on every call and registers on
the global one only; they are registered here.
"""

import re
import socket

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import transport as oslo_transport

from nova_cells.conf import rpc as options
from nova_cells.domain import errors

_RABBIT = ("rabbit", "kombu")
_SECRET = re.compile(r"(?<=:)[^:@/,]*(?=@)")


def masked(url: str) -> str:
    """The URL as it may be logged: every password is ***, and the query is left out."""
    scheme, found, rest = str(url).partition("://")
    if not found:
        return "***"
    return f"{scheme}://{_SECRET.sub('***', rest.partition('?')[0])}"


def prepare(conf: cfg.ConfigOpts, ours: bool = True) -> None:
    """Register what oslo.messaging needs on this configuration, with our defaults (``ours``); what
    a file says wins over them.  May be repeated."""
    from oslo_messaging._drivers import amqp, impl_rabbit
    from oslo_messaging._metrics import client as metrics
    from oslo_messaging._tracing import client as tracing

    conf.register_opts(options.RPC, group="rpc")
    conf.register_opts(metrics.oslo_messaging_metrics, group="oslo_messaging_metrics")
    conf.register_opts(tracing.oslo_messaging_tracing, group="oslo_messaging_tracing")
    conf.register_opts([*impl_rabbit.rabbit_opts, *amqp.amqp_opts], group="oslo_messaging_rabbit")
    for name, value in options.RABBIT.items() if ours else ():
        conf.set_default(name, value, group="oslo_messaging_rabbit")


def open_transport(conf: cfg.ConfigOpts, url: str) -> oslo_messaging.Transport:
    """A transport.  ``Invalid`` with a sentence if the URL is no good; does not connect yet."""
    prepare(conf)
    try:
        parsed = oslo_messaging.TransportURL.parse(conf, url)
        if parsed.transport in _RABBIT:
            return oslo_transport.RPCTransport(_rabbit_driver(conf, parsed))
        return oslo_messaging.get_rpc_transport(conf, parsed)
    except cfg.NoSuchOptError as error:
        raise errors.Invalid(f"the transport URL {masked(url)} has an option that does not exist: "
                             f"{error.opt_name}; those of [oslo_messaging_rabbit] can be used"
                             ) from None
    except (oslo_messaging.InvalidTransportURL, ValueError):
        raise errors.Invalid(f"{masked(url)} is not a transport URL: write it as "
                             "rabbit://user:password@host:5672/vhost") from None
    except oslo_messaging.DriverLoadFailure:
        raise errors.Invalid(f"no driver for the transport URL {masked(url)}: rabbit:// and "
                             "local:// are known") from None


def _rabbit_driver(conf: cfg.ConfigOpts, url: oslo_messaging.TransportURL):
    """Ours, instead of the one that oslo.messaging would load for this scheme."""
    from nova_cells.rpc import rabbit

    return rabbit.RabbitDriver(conf, url, default_exchange="nova-cells",
                               allowed_remote_exmods=[])


def must_answer(conf: cfg.ConfigOpts, url: str, seconds: float = 3.0) -> None:
    """``CellDown`` with a sentence unless one host of the URL takes connections.

    oslo.messaging itself tries for ever, in silence, to listen on a broker that is not there.
    """
    parsed = oslo_messaging.TransportURL.parse(conf, url)
    if parsed.transport not in _RABBIT:
        return
    hosts = [(host.hostname or "localhost", host.port or 5672) for host in parsed.hosts]
    for place in hosts or [("localhost", 5672)]:
        try:
            socket.create_connection(place, timeout=seconds).close()
            return
        except OSError:
            continue
    raise errors.CellDown(f"the message bus {masked(url)} does not answer: check that it runs and "
                          "that the cell's transport URL is right")
