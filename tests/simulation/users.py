# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Users of the simulated cluster: requests as the API carries them out, over a bad network."""

import collections.abc

from nova_cells.api import orders
from nova_cells.domain import codec, errors

PATIENCE = 5.0                   # seconds until a call is given up

Make = collections.abc.Callable[[], orders.Order | None]
Refused = collections.abc.Callable[[], object]


class Users:
    """The API cell's half of every request."""

    def __init__(self, cluster) -> None:  # noqa: ANN001
        self._c = cluster
        self.orders = orders.Orders(cluster.view, cluster.ids)
        self._waiting: dict[str, tuple[orders.Order, Refused]] = {}
        self.unanswered: set[str] = set()        # servers of orders that may or may not be done

    def boot(self, asked: orders.Asked) -> list[str]:
        """POST servers.  The offers are sent once, or not at all if the API dies just then."""
        try:
            accepted = self.orders.boot(asked, self._c.now)
        except (errors.OverLimit, errors.CellDown):
            return []
        for cast in accepted.casts:
            self._c.cast(cast.to, cast.message, None)
        self._c.touched(None)
        return [server.uuid for server in accepted.servers]

    def send(self, make: Make, refused: Refused = lambda: None) -> None:
        """Any other request: an order, its call, its answer or none.  ``refused``: what the API
        takes back when it is certain that nothing was done."""
        try:
            order = make()
            if order is not None:
                self._carry_out(order, refused)
        except errors.Problem as problem:
            self._c.say("API", type(problem).__name__, problem.message)
            refused()
        self._c.touched(None)

    def _carry_out(self, order: orders.Order, refused: Refused) -> None:
        if order.record is not None:
            for cast in order.casts:
                self._c.cast(cast.to, cast.message, None)
            return
        try:
            self.orders.check_up(order)
        except errors.CellDown:
            return self.orders.lost(order, self._c.now)
        token = self._c.ids.uuid()
        self._waiting[token] = order, refused
        self._c.cast(order.to, order.command, None, reply_to=token)
        self._c.at(PATIENCE, lambda: self._timeout(token))

    def answer(self, token: str, message: object) -> None:
        """A cell's answer to a call, as lossy as any message."""
        rng = self._c.rng
        if rng.random() < self._c.faults.lose:
            return
        text = codec.encode(message)
        self._c.at(rng.expovariate(1 / 0.02),
                   lambda: self._answered(token, codec.decode(text)))

    def _answered(self, token: str, message: object) -> None:
        order, refused = self._waiting.pop(token, (None, None))
        if order is None:
            return
        try:
            self.orders.finish(order, message, self._c.now)
        except errors.CellDown as problem:
            self._c.say("API", type(problem).__name__, problem.message)
            self.unanswered.add(order.command.server)
        except errors.Problem as problem:
            self._c.say("API", type(problem).__name__, problem.message)
            refused()
        self._c.touched(None)

    def _timeout(self, token: str) -> None:
        order, _refused = self._waiting.pop(token, (None, None))
        if order is None:
            return
        self.unanswered.add(order.command.server)
        try:
            self.orders.lost(order, self._c.now)
        except errors.CellDown:
            pass
        self._c.touched(None)
