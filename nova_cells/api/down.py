# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What happens while a cell is down, as data: a word for each action and each command (law T18).

An action's word stands in its own row of the catalogue; a command's stands here.  A cell is down
when it was not heard for too long, when sync with it stopped, when its breaker is open, when its
transport cannot be used or when its bulkhead is full: whoever asks hears the same of all five,
at once.  ``python -m nova_cells.api.down`` prints the table for operators.
"""

import collections.abc
import sys
import typing

from nova_cells.domain import commands

ANSWERS = {
    "stale": "answered with what the cell said last; how old that is stands in the header "
             "``X-Nova-Cells-Age``, in seconds",
    "refuse": "503 with ``Retry-After``, at once; if the cell was asked and did not answer, the "
              "request may have been carried out",
    "keep": "taken, and carried out when the cell is back; until then the server is shown with its "
            "last state and ``task_state`` deleting",
    "serve": "as always: no cell is asked",
    "elsewhere": "another cell takes it; if only cells that are down could, 503 with "
                 "``Retry-After``, and nothing is left of it",
    "again": "sent again until the cell answers; nobody waits",
}

COMMANDS: dict[type, str] = {
    commands.Boot: "again",              # the offer moves to another cell meanwhile
    commands.Delete: "keep",
    commands.Act: "refuse",
    commands.Settle: "again",
    commands.Lock: "refuse",
    commands.ResetState: "refuse",
    commands.Update: "refuse",
    commands.ChangeMetadata: "refuse",
    commands.ChangeTags: "refuse",
    commands.ClearPassword: "refuse",
    commands.SteerMigration: "refuse",
    commands.ReadConsole: "refuse",
    commands.ReadDiagnostics: "refuse",
    commands.FindConsole: "refuse",
    commands.ReadPassword: "refuse",
    commands.Run: "refuse",
    commands.ReadErrand: "refuse",
    commands.SetHost: "refuse",
    commands.ForgetHost: "refuse",
    commands.Catalogue: "again",
    commands.Aggregates: "again",
    commands.CacheImages: "serve",
    commands.ReadDigests: "again",
    commands.Verify: "again",
    commands.Resync: "again",
    commands.Adopt: "again",
    commands.Detach: "again",
}

_HEAD = """\
===================
When a cell is down
===================

.. This page is made: python -m nova_cells.api.down > doc/howto/cell-down.rst

Servers of a cell that is down are listed and shown as they were last known, at every
microversion; no status is made up (decision 0008). What does not need that cell goes on as
always.

A cell is down when

* it was not heard for ``[collector] cell_down_after`` seconds,
* sync with it stopped (``nova-cells-manage cell list`` says why),
* it did not answer several times in a row (its breaker is open),
* its transport URL cannot be used, or its message bus takes no messages, or
* ``[rpc] bulkhead`` calls wait for it already.

``GET /nova-cells/cells`` shows admins which cells are down and how old what is known of them is.
"""


def kept(command: commands.Message) -> bool:
    """Whether a command that was not answered is written down for the cell."""
    return COMMANDS.get(type(command)) == "keep"


def page(actions: collections.abc.Iterable[typing.Any]) -> str:
    """The table as a page of the documentation."""
    rows = sorted((action.path, action.method, action.key if action.keyed else "", action.down)
                  for action in actions if not action.gone)
    found = [_HEAD, _title("The words"), _table(("word", "what it means"), sorted(
        ANSWERS.items())), _title("Requests"), _table(("request", "action", "answer"), [
            (f"{method} {path}", f"``{key}``" if key else "", word)
            for path, method, key, word in _merged(rows)]),
        _title("Commands to a cell"), _table(("command", "answer"), [
            (cls.__name__, word) for cls, word in COMMANDS.items()])]
    return "\n".join(found)


def _merged(rows: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """One row where versions of one request do not differ."""
    return sorted(set(rows))


def _title(words: str) -> str:
    return f"{words}\n{'=' * len(words)}\n"


def _table(head: tuple[str, ...], rows: collections.abc.Iterable[tuple[str, ...]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}".rstrip()
                  for place, cell in enumerate(row)]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    from nova_cells.api import compute

    sys.stdout.write(page(compute.actions()))
