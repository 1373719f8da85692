# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Every run's part: the house as processes lives, and a slice of what may befall it is survived.

Which points of a boot and a delete are tried depends on the commit, so that all are in a few
days; the long forms are the commands ``points``, ``kills`` and ``outages`` beside this file.
"""

import os
import subprocess
import unittest
import zlib

import testtools

from tests.processes import deployment, kills, load, outages, points
from tests.servers import process

POINTS = 3               # of a boot or a delete, in each run


def commit() -> str:
    """What decides which slice this run takes: NOVA_CELLS_SLICE, or the commit."""
    if "NOVA_CELLS_SLICE" in os.environ:
        return os.environ["NOVA_CELLS_SLICE"]
    run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True,
                         cwd=os.path.dirname(__file__))
    return run.stdout.strip() or "0"


def of_this_run(things: list, count: int) -> list:
    """So many neighbours of a list that goes round."""
    first = zlib.crc32(commit().encode()) % len(things)
    return [things[(first + 7 * n) % len(things)] for n in range(count)]


class Processes(testtools.TestCase):
    """One deployment for all: bringing it up takes longest."""

    deployed: deployment.Deployment

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.deployed = deployment.Deployment(cells=2, hosts=2, conductors=2, collectors=2)
        except process.Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.addClassCleanup(cls.deployed.remove)
        cls.deployed.start()
        cls.deployed.flavor()

    def setUp(self):
        super().setUp()
        self.d = self.deployed
        self.addCleanup(self.clear)

    def clear(self):
        """Every test leaves an empty deployment without a finding."""
        for service in self.d.services.values():
            if service.pid is None:
                service.start()
        for uuid in self.d.servers():
            self.d.ask("DELETE", f"/servers/{uuid}")
        self.d.wait_for(lambda: not self.d.servers() and not self.d.guests(), "all is deleted")
        self.assertEqual([], self.d.verify())

    def boot(self, count=1, **more):
        """So many servers that are ACTIVE."""
        answers = [self.d.create(**more) for _ in range(count)]
        self.assertEqual({202}, {status for status, _body, _headers in answers}, answers)
        made = {body["server"]["id"] for _status, body, _headers in answers}
        self.d.wait_for(lambda: all(self.d.statuses().get(one) == "ACTIVE" for one in made),
                        "the servers are ACTIVE")
        return made

    def act(self, uuid, **body):
        """An action that is accepted."""
        status, document, _headers = self.d.ask("POST", f"/servers/{uuid}/action", body)
        self.assertEqual(202, status, document)

    def test_life_of_a_server(self):
        (uuid,) = self.boot()
        for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE"),
                               ("pause", "PAUSED"), ("unpause", "ACTIVE")):
            self.act(uuid, **{action: None})
            self.d.wait_for(lambda status=status: self.d.statuses()[uuid] == status, action)
        self.act(uuid, reboot={"type": "HARD"})
        self.d.wait_for(lambda: self.d.statuses()[uuid] == "ACTIVE", "rebooted")
        self.assertEqual(204, self.d.ask("DELETE", f"/servers/{uuid}")[0])
        self.d.wait_for(lambda: not self.d.servers(), "deleted")

    def test_both_cells_are_used(self):
        def used():                      # a cell counts a flavor only some time after it was made
            self.boot(2)
            return {host.partition("-")[0] for hosts in self.d.guests().values() for host in hosts}

        self.d.wait_for(lambda: used() == set(self.d.cells), "both cells have guests")

    def test_quota_race(self):
        self.d.ask("PUT", "/os-quota-sets/racers", {"quota_set": {"instances": 5}})
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = [status for status, _body, _headers in pool.map(
                lambda _n: self.d.create(user="racer:racers"), range(20))]
        self.assertEqual((5, 15), (answers.count(202), answers.count(403)), answers)

    def test_a_service_that_is_told_to_stop_loses_nothing(self):
        for name in ("conductor1-c1", "compute-c1-h1", "collector1", "scheduler-c2"):
            if name not in self.d.services:
                continue
            made = [self.d.create()[1]["server"]["id"] for _ in range(4)]
            service = self.d.services[name]
            service.end()
            service.start()
            self.d.wait_for(lambda made=made: all(
                self.d.statuses().get(one) == "ACTIVE" for one in made), f"{name} came back")

    def test_new_password_of_a_bus(self):
        self.boot(2)
        url = self.d.broker.change_password(f"c1-{self.d._tag}")
        self.d.manage("cell", "update", "c1", "--transport-url", url)
        for path in self.d.directory.glob("*.conf"):
            path.write_text(path.read_text().replace(self.d.buses["c1"], url))
        self.d.buses["c1"] = url
        for name, service in self.d.services.items():
            if name.endswith("-c1") or name.startswith("compute-c1"):
                service.hang_up()
        self.d.broker.close_connections()
        self.boot(4)

    def test_points_of_this_commit(self):
        drill = points.Drill(self.d, servers=4)
        found = [drill.try_point(point) for point in of_this_run(points.POINTS, POINTS)]
        self.assertEqual([], [f"{one.point}: {wrong}" for one in found for wrong in one.wrong])

    def test_random_kills(self):
        found = kills.run(self.d, kills=8, seed=zlib.crc32(commit().encode()), between=8)
        self.assertEqual([], found["wrong"], found)

    def test_an_outage_of_this_commit(self):
        (fault,) = of_this_run(sorted(outages.FAULTS), 1)
        found = outages.run(self.d, fault, times=1)
        self.assertEqual([], found["wrong"], found)
        self.assertTrue(deployment.within(60.0, lambda: load.settled(self.d)))
