# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Runs a service's command so that it dies by kill -9 at a named point, at its first time there.

    python -m tests.processes.crashing POINT MODULE [WORD ...]

A point is one of

    Boot:before     the message Boot has arrived and nothing was done about it
    Boot:decided    it was handled and saved, but nothing was sent
    Boot:after      everything was done
    send:Boot:before, send:Boot:after       around sending it (cast or call)
    commit:before, commit:after             around the first commit of a request of a user
    step:define     the compute service is about to take this step of a flow

The commands themselves know nothing of this.
"""

import contextlib
import os
import runpy
import signal
import sys


def die() -> None:
    """No last words."""
    os.kill(os.getpid(), signal.SIGKILL)


def kind(message) -> str:
    """What a message is called in a point: a task by its verb too, an upload only if it says
    something."""
    name = type(message).__name__
    if name == "Task":
        return f"Task.{message.verb}"
    if name == "Upload" and not any(record.kind == "server" for record in message.records):
        return "Upload.empty"
    if name == "Acks" and not any(ack.kind == "server" for ack in message.acks):
        return "Acks.empty"
    return name


def arm(point: str) -> None:
    """Lay the trap."""
    what, _, when = point.rpartition(":")
    if what == "step":
        _at_step(when)
    elif what == "commit":
        _at_commit(when)
    elif what.startswith("send:"):
        _at_send(what.removeprefix("send:"), when)
    else:
        _at_message(what, when)


def _at_message(wanted: str, when: str) -> None:
    from nova_cells import service

    decide, perform = service.Runner._decide, service.Runner._perform

    def decided(self, message, sender):
        if kind(message) != wanted:
            return decide(self, message, sender)
        if when == "before":
            die()
        return _Marked(decide(self, message, sender))

    def performed(self, wanted_effects):
        marked = isinstance(wanted_effects, _Marked)
        if marked and when == "decided":
            die()
        answer = perform(self, wanted_effects)
        if marked:
            die()
        return answer

    service.Runner._decide, service.Runner._perform = decided, performed


class _Marked(list):
    """The effects of the message that is waited for."""


def _at_send(wanted: str, when: str) -> None:
    from nova_cells.rpc import client

    def trapped(send):
        def sent(self, address, message, *more):
            if kind(message) != wanted:
                return send(self, address, message, *more)
            if when == "before":
                die()
            send(self, address, message, *more)
            return die()
        return sent

    client.Client.cast = trapped(client.Client.cast)
    client.Client.call = trapped(client.Client.call)


def _at_commit(when: str) -> None:
    from nova_cells.api import orders
    from nova_cells.db import engine

    write, boot = engine.Database.write, orders.Orders.boot
    armed = []

    @contextlib.contextmanager
    def written(self):
        with write(self) as tx:
            yield tx
            if armed and when == "before":
                die()
        if armed:
            die()

    def booted(self, *words):
        armed.append(True)
        return boot(self, *words)

    engine.Database.write, orders.Orders.boot = written, booted


def _at_step(wanted: str) -> None:
    from nova_cells.compute import agent

    begin = agent.Agent.__init__

    def begun(self, *words, **named):
        begin(self, *words, **named)
        self.step = lambda _server, name: die() if name == wanted else None

    agent.Agent.__init__ = begun


if __name__ == "__main__":
    point, module, *words = sys.argv[1:]
    arm(point)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
