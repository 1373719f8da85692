# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The agent of one host, as a process (``nova-cells-compute``)."""

from nova_cells import clock as clocks
from nova_cells import metrics
from nova_cells.cmd import cellbus, hosting
from nova_cells.conf import cell as cell_options
from nova_cells.image import loader as images
from nova_cells.rpc import transport


class Work:
    """The agent of [DEFAULT] host."""

    def __init__(self, conf) -> None:
        self._conf = conf
        self._bus: cellbus.CellBus | None = None
        self._hosting: hosting.Hosting | None = None

    def open(self) -> None:
        """The bus, the hypervisor, the agent."""
        conf = self._conf
        self._bus = cellbus.CellBus(conf, clocks.SystemClock(), conf.cell.uuid, conf.cell.name,
                                    conf.cell.transport_url)
        self._bus.open()
        self._hosting = hosting.Hosting(conf, self._bus, images.load(conf), clocks.RandomIds())
        self._hosting.start(conf.host, alone=True)

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time.  Guests keep running."""
        ended = self._bus.stop(patience) if self._bus is not None else True
        if self._hosting is not None:
            self._hosting.close()
        if self._bus is not None:
            self._bus.close()
        return ended

    def checks(self) -> list[metrics.Check]:
        """The bus; a hypervisor that fails is told to the cell."""
        return [self._bus.check]


def check(conf) -> None:
    """Whether the agent can work: options and bus.  A hypervisor is waited for."""
    cell_options.check(conf)
    transport.open_transport(conf, conf.cell.transport_url).cleanup()
    transport.must_answer(conf, conf.cell.transport_url)


def workers(conf) -> int:
    """How many processes."""
    return 1
