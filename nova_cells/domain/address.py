"""Who a message is for.  Callers name *who*; ``rpc.router`` alone knows *where*."""

import typing

import msgspec


@typing.dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Address(msgspec.Struct, frozen=True, tag=True):
    """Base of the five kinds of address."""


class Owner(Address):
    """The cell that owns this server now."""

    server: str


class Cell(Address):
    """Any conductor of this cell."""

    cell: str


class Host(Address):
    """The agent of one host of a cell."""

    cell: str
    host: str


class Collector(Address):
    """The API cell's collector, listening on this child's own bus."""

    cell: str


class Scheduler(Address):
    """Any scheduler of this cell, asked by a conductor of the same cell."""

    cell: str
