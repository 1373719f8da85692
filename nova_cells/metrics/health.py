# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Alive and ready: what is wrong with a process, in sentences.

Alive is asked of everything that said it has threads (``living``); ready of the checks that a
daemon names.  A check gives None when all is well, or one sentence.  Never raises.
"""

import collections.abc
import logging
import threading

from nova_cells.domain import errors

LOG = logging.getLogger(__name__)
PATIENCE = 5.0           # seconds that a second asker waits for the checks of the first

Check = collections.abc.Callable[[], str | None]
_living: dict[object, collections.abc.Callable[[], list[str]]] = {}


def living(who: object, ailing: collections.abc.Callable[[], list[str]] | None) -> None:
    """``ailing()`` says in sentences which threads of ``who`` died or hang; None: it has none any
    more."""
    if ailing is None:
        _living.pop(who, None)
    else:
        _living[who] = ailing


def ailments() -> list[str]:
    """What is wrong with the threads of this process; nothing is good."""
    found: list[str] = []
    for ailing in list(_living.values()):
        found += ailing()
    return found


def answers(ask: collections.abc.Callable[[], object]) -> Check:
    """A check: ``ask()`` raises no problem."""
    def check() -> str | None:
        try:
            ask()
        except errors.Problem as problem:
            return problem.message or type(problem).__name__
        return None
    return check


class Readiness:
    """The checks of one process, asked one asker at a time."""

    def __init__(self, checks: collections.abc.Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._turn = threading.Lock()

    def wrong(self) -> dict[str, str]:
        """Name of the check -> sentence; nothing is good."""
        if not self._turn.acquire(timeout=PATIENCE):
            return {"checks": f"the checks that are under way have taken more than {PATIENCE:g} s"}
        try:
            said = {name: _ask(name, check) for name, check in self._checks.items()}
        finally:
            self._turn.release()
        return {name: sentence for name, sentence in said.items() if sentence is not None}


def _ask(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception as error:
        LOG.exception("the check %s failed", name)
        return f"the check itself failed ({type(error).__name__}); the log says more"
