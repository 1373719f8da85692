"""Families of error.  Raise what happened; the door (``api``) translates it.

Every problem carries one sentence that a person can act on.  A problem may cross the bus:
``as_failure`` and ``raise_failure`` keep its family.  Never holds a traceback or a secret.
"""

import msgspec


class Problem(Exception):
    """Something a caller can be told.  ``str(problem)`` is the sentence."""

    family = "bug"

    def __init__(self, message: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class Invalid(Problem):
    """The request itself is wrong; repeating it cannot help."""

    family = "invalid"


class Refused(Problem):
    """The caller may not do this."""

    family = "refused"


class NotFound(Problem):
    """No such thing, or none that the caller may know of."""

    family = "not_found"


class Conflict(Problem):
    """The thing is not in a state that allows this now."""

    family = "conflict"


class OverLimit(Problem):
    """A quota would be exceeded."""

    family = "over_limit"


class Unsupported(Problem):
    """Known, but nothing here can do it."""

    family = "unsupported"


class NoPlace(Problem):
    """No cell, or no host of a cell, can take the server."""

    family = "no_place"


class HostTrouble(Problem):
    """This host cannot do it now (full disk, dead hypervisor); another host may."""

    family = "no_place"


class CellDown(Problem):
    """The cell does not answer; what was asked may or may not have happened."""

    family = "cell_down"


class Moved(Problem):
    """The epoch in the message is not the one that this cell holds."""

    family = "moved"


class Stale(Problem):
    """A compare-and-swap lost: somebody else wrote first.  Read again and decide again."""

    family = "stale"


class Bug(Problem):
    """Our own fault."""


FAMILIES: dict[str, type[Problem]] = {
    cls.family: cls
    for cls in (Invalid, Refused, NotFound, Conflict, OverLimit, Unsupported, NoPlace, CellDown,
                Moved, Stale, Bug)
}


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A problem on the wire."""

    family: str
    message: str


def as_failure(problem: Problem) -> Failure:
    """The wire form of a problem."""
    return Failure(family=problem.family, message=problem.message)


def raise_failure(failure: Failure) -> None:
    """Raise the problem that the other side met.  An unknown family is a ``Bug``."""
    raise FAMILIES.get(failure.family, Bug)(failure.message)
