# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell inside the stand-alone process: the view, the collector, the way to the cells."""

from nova_cells.cmd import collecting, fleet
from nova_cells.conf import standalone as options
from nova_cells.db import migrations, view
from nova_cells.domain import errors


class ApiCell:
    """Made, then opened (database, cells), then started; stopped once."""

    def __init__(self, conf, clock, ids) -> None:
        self._conf, self._clock, self._ids = conf, clock, ids
        self.view: view.View | None = None
        self.fleet: fleet.Fleet | None = None
        self._collecting: collecting.Collecting | None = None

    @property
    def client(self):
        """The way to every cell."""
        return self.fleet.client

    def open(self) -> None:
        """The database at its newest schema, and the way to every cell in it."""
        self.view = fleet.open_view(self._conf)
        migrations.upgrade("view", options.view_url(self._conf))
        self.fleet = fleet.Fleet(self._conf, self.view)

    def register(self, name: str, uuid: str, url: str) -> None:
        """A cell that runs in this process is in the table of cells, as it is now."""
        now = self._clock.time()
        with self.view.write() as tx:
            rows = self.view.cells.all(tx)
            by_name = next((row for row in rows if row.name == name), None)
            row = next((row for row in rows if row.uuid == uuid), None)
            if by_name is not None and by_name.uuid != uuid:
                raise errors.Conflict(
                    f"the database of the cell {name} is not the one that the API cell knows "
                    f"({by_name.uuid}): put its file back, or forget the old cell with "
                    f"'nova-cells-manage cell delete {name}'")
            if row is None:
                self.view.cells.create(tx, uuid, name, url, now)
            elif (row.name, row.transport_url) != (name, url):
                self.view.cells.update(tx, uuid, now, name=name, transport_url=url)

    def start(self) -> None:
        """The collector, listening on every cell's bus."""
        self._collecting = collecting.Collecting(self._conf, self.fleet, self._clock, self._ids)
        self._collecting.start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time."""
        ended = self._collecting.stop(patience) if self._collecting is not None else True
        if self.fleet is not None:
            self.fleet.close()
        return ended

    def close(self) -> None:
        """Let the database go."""
        if self.view is not None:
            self.view.close()
