# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a host answers when it is asked about a guest.  Asking changes nothing."""

import typing

from nova_cells.domain import commands, consoles, errors, tasks
from nova_cells.domain import server as model


class Offered(model.Value, kw_only=True):
    """One kind of console that this host offers: the address of its proxy, and the address under
    which the proxy reaches this host."""

    base_url: str
    address: str = "127.0.0.1"


#: What is offered if nobody says otherwise.
DEFAULT = {"novnc": Offered(base_url="http://127.0.0.1:6080/vnc_auto.html")}


def answer(driver: typing.Any, offered: dict[str, Offered],
           query: tasks.Query) -> commands.Message:
    """The answer to one question."""
    match query:
        case tasks.ConsoleQuery():
            return commands.Text(text=driver.console_log(query.server, query.lines))
        case tasks.DiagnosticsQuery():
            _must(driver, "diagnostics")
            return commands.Diagnosed(diagnostics=driver.diagnostics(query.server))
        case tasks.AccessQuery():
            return commands.ConsoleFound(where=_where(driver, offered, query))
    raise errors.Unsupported(f"this host does not understand {type(query).__name__}; upgrade it")


def _where(driver: typing.Any, offered: dict[str, Offered],
           query: tasks.AccessQuery) -> consoles.Where:
    proxy = offered.get(query.kind)
    if proxy is None:
        raise errors.Invalid(f"Unavailable console type {query.kind}.")
    _must(driver, "consoles")
    end = driver.console_end(query.server, query.kind)
    return consoles.Where(kind=query.kind, host=proxy.address, port=end.port,
                          tls_port=end.tls_port, path=end.path, base_url=proxy.base_url)


def _must(driver: typing.Any, capability: str) -> None:
    if capability not in driver.capabilities:
        raise errors.Unsupported(f"this host's hypervisor cannot tell (capability: {capability})")
