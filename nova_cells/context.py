# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who is asking, what of it travels with a command, and what every log line says of the work.

A token never leaves the API: children act with their own service user.  Each message is handled
in a context of its own, so that a line says for which request, server and verb it was written; no
line ever holds what a message carries beside those.
"""

import collections.abc
import contextlib
import importlib.metadata
import logging
import typing

from oslo_config import cfg
from oslo_context import context
from oslo_log import log

from nova_cells import metrics
from nova_cells.domain import commands

FORMAT = ("%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s "
          "[%(request_id)s %(where)s] %(message)s")
NOBODY = "-"             # the request id of work that no request asked for


def origin(asker: context.RequestContext, admin: bool | None = None) -> commands.Origin:
    """What a child may know of the asker.  ``admin``: what policy decided, if it did."""
    return commands.Origin(
        request_id=asker.request_id or "",
        user_id=asker.user_id or "",
        project_id=asker.project_id or "",
        admin=bool(asker.is_admin) if admin is None else admin)


class Place(typing.NamedTuple):
    """Where a line was written: which service, of which cell, on which host."""

    service: str = NOBODY
    cell: str = ""
    host: str = ""

    @classmethod
    def named(cls, name: str) -> "Place":
        """Of a runner's name: "collector", "conductor cell1", "agent cell1/host1"."""
        service, _space, where = name.partition(" ")
        cell, _slash, host = where.partition("/")
        return cls("compute" if service == "agent" else service, cell, host)


class Work(context.RequestContext):
    """The context of one message or one piece of work, made for every message, so it costs next
    to nothing: its words are put together when a line is written."""

    def __init__(self, place: Place, message: object = None, request_id: str = "",
                 **words: object) -> None:       # the base's own making is left out on purpose
        self.place = place
        self._message = message
        self.request_id = request_id or request_of(message)
        self._words = words

    def get_logging_values(self) -> dict[str, typing.Any]:
        """What a line may say of it."""
        words = {**_words(self._message), **self._words}
        return _values(self.place, self.request_id, words)


class Asker(context.RequestContext):
    """Who asks the API.  Its log lines say who, and nothing of the token or the roles."""

    def get_logging_values(self) -> dict[str, typing.Any]:
        """What a line may say of it."""
        return {**_values(_process, self.request_id, {}), "user_id": self.user_id,
                "project_id": self.project_id, "global_request_id": self.global_request_id}


def request_of(message: object) -> str:
    """The id of the request that a message is part of; "" if there is none, or many."""
    own = getattr(message, "request_id", None)
    if own is None:
        own = getattr(getattr(message, "origin", None), "request_id", "")
    return own


def begin(place: Place, message: object) -> context.RequestContext | None:
    """This thread works on this message from now on.  What it did before is handed to ``end``."""
    before = context.get_current()
    Work(place, message).update_store()
    return before


def end(before: context.RequestContext | None = None) -> None:
    """This thread does again what it did before."""
    (before or _idle).update_store()


@contextlib.contextmanager
def on_behalf(request_id: str, **words: object) -> collections.abc.Iterator[None]:
    """Inside, this thread works for that request: something saved earlier is taken up again."""
    before = context.get_current()
    place = before.place if isinstance(before, Work) else _process
    Work(place, None, request_id, **words).update_store()
    try:
        yield
    finally:
        end(before)


# -- lines ----------------------------------------------------------------------------------------

_SHOWN = ("cell", "host", "server", "verb", "version")
_process = Place()
_idle = Work(_process)


def start_log(conf: cfg.ConfigOpts, service: str, cell: str = "", host: str = "") -> None:
    """Set the log up as [DEFAULT] says, each line with its request and its place.  ``service`` is
    what this process is, also in its figures; a runner inside it may say something nearer."""
    global _process, _idle
    _process = Place(service, cell, host)
    _idle = Work(_process)
    metrics.identify(service, _version(), cell, host)
    conf.set_default("logging_context_format_string", FORMAT)
    log.setup(conf, "nova-cells")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_place)


def _version() -> str:
    try:
        return importlib.metadata.version("nova-cells")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _place(record: logging.LogRecord) -> bool:
    """Lines that nobody's context belongs to are the process's own."""
    known = record.__dict__.get("context") or context.get_current()
    if not isinstance(known, Work | Asker):
        known = record.context = Work(_process, None, getattr(known, "request_id", None) or "")
    values = known.get_logging_values()
    said = str(record.msg)               # a line that names its server says it once
    record.where = " ".join([values["service"], *(
        f"{name}={values[name]}" for name in _SHOWN
        if values.get(name) not in ("", None) and f"{name}=" not in said)])
    return True


def _words(message: object) -> dict[str, object]:
    """What a line says of a message: what orders it among others, never what it carries."""
    found = {name: getattr(message, name, None) for name in ("server", "verb", "version")}
    record = getattr(message, "record", None)
    if found["version"] is None and record is not None:
        found["version"] = getattr(record, "version", None)
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


def _values(place: Place, request_id: str | None, words: dict[str, object]) -> dict[str, object]:
    return {"request_id": request_id or NOBODY, "service": place.service, "cell": place.cell,
            "host": place.host or _process.host, **words}
