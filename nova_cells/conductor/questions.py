# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Questions about one server that change nothing: passed on to its host, or answered here.

What a host answers goes back to who asked as it is.
"""

from nova_cells.domain import address, commands, effects, errors, tasks
from nova_cells.domain import server as model


def ask(conductor, tx, message: commands.Question,  # noqa: ANN001
        server: model.Server) -> list[effects.Effect]:
    """The effects of a question."""
    if isinstance(message, commands.ReadPassword):
        text = conductor.store.servers.password(tx, server.uuid) or ""
        return [effects.Reply(commands.Text(text=text))]
    if isinstance(message, commands.ReadErrand):
        return [effects.Reply(commands.Done(record=server, errand=conductor.errands.read(
            tx, message.errand, server)))]
    if not server.host or server.rest == "building":
        raise errors.Conflict(f"Instance {server.uuid} is not ready")
    return [effects.Forward(address.Host(conductor.cell, server.host), _query(message))]


def _query(message: commands.Question) -> tasks.Query:
    about = {"server": message.server, "request_id": message.origin.request_id}
    match message:
        case commands.ReadConsole():
            return tasks.ConsoleQuery(lines=message.lines, **about)
        case commands.ReadDiagnostics():
            return tasks.DiagnosticsQuery(**about)
        case commands.FindConsole():
            return tasks.AccessQuery(kind=message.kind, **about)
    raise errors.Unsupported(f"this cell does not know {type(message).__name__}; upgrade it")
