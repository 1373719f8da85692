# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the services: how patient they are.

A name here is the name of a field of the service's ``Settings``; ``fill`` copies what a service
knows.  Tests hold the defaults equal.
"""

import typing

import msgspec
from oslo_config import cfg

COLLECTOR = [
    cfg.IntOpt("workers", default=1, min=1,
               help="How many processes nova-cells-collector runs as."),
    cfg.FloatOpt("offer_patience", default=30.0, min=1.0,
                 help="Seconds that a cell gets to accept a boot before the next is asked."),
    cfg.FloatOpt("cell_down_after", default=30.0, min=1.0,
                 help="Seconds of silence after which a cell counts as down."),
    cfg.FloatOpt("heal_interval", default=300.0, min=1.0,
                 help="Seconds between comparisons of the view with a cell."),
    cfg.FloatOpt("reservation_patience", default=30.0, min=1.0,
                 help="Seconds that an operation may hold quota before its cell is asked what "
                      "became of it."),
    cfg.FloatOpt("resync_retry", default=2.0, min=0.1,
                 help="Seconds after which a step of a resync that was not answered is repeated."),
    cfg.FloatOpt("order_patience", default=180.0, min=10.0,
                 help="Seconds after which quota that is held for an order to a cell is free again "
                      "if the order was not answered. Must be longer than an order may be on its "
                      "way ([rpc])."),
    cfg.FloatOpt("claim_patience", default=120.0, min=1.0,
                 help="Seconds after which a server's claim of a volume is looked at again: what "
                      "is left of requests that died is given back then. Must be longer than any "
                      "request takes."),
]

CONDUCTOR = [
    cfg.IntOpt("workers", default=1, min=1,
               help="How many processes nova-cells-conductor runs as."),
    cfg.StrOpt("scheduler", default="library",
               choices=[("library", "the conductor chooses hosts itself, in its own memory"),
                        ("service", "a nova-cells-scheduler of the cell is asked; the conductor "
                                    "chooses itself while none answers")],
               help="Who proposes hosts for new servers. The conductor commits them either way."),
    cfg.FloatOpt("ask_again", default=30.0, min=1.0,
                 help="Seconds after which a task that a host has not reported on is sent again."),
    cfg.FloatOpt("host_down_after", default=25.0, min=1.0, deprecated_name="service_down_time",
                 help="Seconds of silence after which a host counts as down."),
    cfg.IntOpt("upload_batch", default=200, min=1,
               help="Records sent up at a time."),
    cfg.IntOpt("upload_bytes", default=1024 * 1024, min=1024,
               help="Bytes of records sent up at a time; a single record may be larger. Must stay "
                    "well below [rpc] max_message_size."),
    cfg.FloatOpt("upload_retry", default=3.0, min=0.1,
                 help="Seconds after which records that were not acknowledged are sent again; "
                      "twice as long each time, up to sixteen times that, until the API cell "
                      "answers."),
    cfg.FloatOpt("heartbeat", default=5.0, min=0.5,
                 help="Seconds after which a cell with nothing to say says so."),
    cfg.FloatOpt("tombstone_age", default=86400.0, min=60.0,
                 help="Seconds that a deleted server is remembered. Must be longer than any outage "
                      "that is to be survived."),
    cfg.FloatOpt("limit_factor", default=1.0, min=0.01,
                 help="Stretches (above 1) or shortens the time that every operation may take."),
]

SCHEDULER = [
    cfg.IntOpt("workers", default=1, min=1,
               help="How many processes nova-cells-scheduler runs as."),
]

COMPUTE = [
    cfg.FloatOpt("hello", default=12.0, min=0.5,
                 help="Seconds between a host's signs of life. [conductor] host_down_after must "
                      "be at least twice that."),
    cfg.FloatOpt("guests", default=60.0, min=1.0,
                 help="Seconds between comparisons of what a host runs with what its cell "
                      "believes."),
]

OPTS: dict[str, list[cfg.Opt]] = {
    "collector": COLLECTOR, "conductor": CONDUCTOR, "scheduler": SCHEDULER,
    "compute": COMPUTE}


def conductor(settings: type, conf: cfg.ConfigOpts) -> typing.Any:
    """A conductor's settings: of its group, and what Nova has in [DEFAULT]."""
    return msgspec.structs.replace(
        fill(settings, conf.conductor),
        reclaim_instance_interval=float(conf.reclaim_instance_interval),
        shelved_offload_time=conf.shelved_offload_time,
        shelved_poll_interval=conf.shelved_poll_interval,
        resize_confirm_window=float(conf.resize_confirm_window))


def fill(settings: type, group: cfg.ConfigOpts.GroupAttr) -> typing.Any:
    """A service's settings from its group: the fields that are options, the rest by default."""
    known = {name: group[name] for name in settings.__struct_fields__ if name in group}
    return settings(**known)
