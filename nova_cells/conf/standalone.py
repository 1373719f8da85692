# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the stand-alone process: an API cell and its child cells in one.

Each cell may have a group [cell.<name>], each host a group [host.<cell>.<host>] (see virt.py);
which there are only the configuration itself says, so ``plan`` registers them when it reads.
"""

import os
import re

import msgspec
from oslo_config import cfg

from nova_cells.domain import errors

STANDALONE = [
    cfg.HostAddressOpt("bind_host", default="127.0.0.1",
                       help="The address on which the API listens."),
    cfg.PortOpt("bind_port", default=8774, help="The port on which the API listens."),
    cfg.IntOpt("threads", default=16, min=1, help="Requests that the API works on at a time."),
    cfg.ListOpt("cells", default=["cell1"],
                help="The names of the child cells that run in this process."),
]

CELL = [
    cfg.ListOpt("hosts",
                help="The names of the cell's hosts that run in this process. Default: one, called "
                     "[DEFAULT] host for real hypervisors, c<N>-h1 for fake ones."),
    cfg.StrOpt("connection", secret=True,
               help="SQLAlchemy URL of the cell's database. Default: an SQLite file of its own."),
    cfg.StrOpt("transport_url", secret=True,
               help="The cell's message bus. Default: one of its own inside the process."),
]

OPTS = {"standalone": STANDALONE}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class CellPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One child cell to be run.  ``transport_url`` None: a bus inside the process."""

    name: str
    hosts: tuple[str, ...]
    connection: str
    transport_url: str | None = None


def plan(conf: cfg.ConfigOpts) -> tuple[CellPlan, ...]:
    """The cells that this process runs.  ``Invalid`` for names that cannot be."""
    names = conf.standalone.cells
    _check(names, "[standalone] cells")
    return tuple(_cell(conf, number, name) for number, name in enumerate(names, 1))


def sqlite_url(conf: cfg.ConfigOpts, file: str) -> str:
    """The URL of an SQLite file below ``state_path``."""
    return f"sqlite:///{os.path.join(os.path.abspath(conf.state_path), file)}"


def view_url(conf: cfg.ConfigOpts) -> str:
    """Where the API cell's database is."""
    return conf.view_database.connection or sqlite_url(conf, "view.sqlite")


def secrets_key(conf: cfg.ConfigOpts) -> str:
    """Where the key is that secrets are sealed with."""
    return conf.secrets_key_file or os.path.join(conf.state_path, "secrets.key")


def _cell(conf: cfg.ConfigOpts, number: int, name: str) -> CellPlan:
    group = f"cell.{name}"
    conf.register_opts(CELL, group=group)
    fake = conf.compute_driver.partition(".")[0] == "fake"
    hosts = conf[group].hosts
    if hosts is None:
        hosts = [f"c{number}-h1" if fake else conf.host]
    _check(hosts, f"[{group}] hosts")
    return CellPlan(
        name=name, hosts=tuple(hosts),
        connection=conf[group].connection or sqlite_url(conf, f"cell-{name}.sqlite"),
        transport_url=conf[group].transport_url)


def _check(names: list[str], option: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise errors.Invalid(f"{option}: {name!r} is not a usable name: take letters, digits, "
                                 "'-', '_' and '.', at most 63")
        if names.count(name) > 1:
            raise errors.Invalid(f"{option}: {name!r} is there twice; give each its own name")
    if not names:
        raise errors.Invalid(f"{option} is empty: name at least one")
