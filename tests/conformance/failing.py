# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The boot flow of an agent, failed, killed and repeated at every step, on any driver.

A mixin: ``make()`` gives a driver with nothing on it, ``images`` its image service and
``image`` the id of one that boots.
"""

import uuid as uuids

from nova_cells.compute import agent as agents
from nova_cells.compute import journal, verbs
from nova_cells.domain import boot, effects, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.virt import protocol

STEPS = ("fetch_image", "create_disk", "write_config_drive", "define", "start")


class Killed(BaseException):
    """The agent dies here."""


class Stop:
    """Raises at a step, before it or after it was taken, for so many times."""

    def __init__(self, driver, step: str, problem: BaseException, after: bool) -> None:  # noqa: ANN001
        self.driver, self.step, self.problem, self.after = driver, step, problem, after
        self.real = getattr(driver, step)

    def __enter__(self) -> "Stop":
        setattr(self.driver, self.step, self._call)
        return self

    def __exit__(self, *_what: object) -> None:
        setattr(self.driver, self.step, self.real)

    def _call(self, *args: object) -> None:
        if self.after:
            self.real(*args)
        raise self.problem


class BootFlow:
    """What an agent does when a step of a boot does not go well."""

    def setUp(self):
        super().setUp()
        self.driver = self.make()
        self.journal = journal.MemoryJournal()
        self.uuid = str(uuids.uuid4())
        self.addCleanup(self.driver.destroy, self.uuid)

    def agent(self) -> agents.Agent:
        """One more life of the agent: memory is new, the journal and the host are not."""
        return agents.Agent(self.driver, self.journal, "c1", "h1")

    def task(self, verb: str = "boot", ticket: int = 1) -> tasks.Task:
        """What the conductor asks."""
        record = model.Server(
            uuid=self.uuid, project_id="p", user_id="u", epoch=1, version=ticket, verb=verb,
            ticket=ticket, created_at=0.0, image=self.images.facts(self.image), host="h1",
            flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1),
            config_drive=True, name="guest", hostname="guest")
        return tasks.Task(server=self.uuid, epoch=1, ticket=ticket, verb=verb, record=record,
                          request=boot.BootRequest(), secrets=boot.Sealed())

    def do(self, task: tasks.Task, agent: agents.Agent | None = None) -> tasks.Report | None:
        """The agent's report, if it made one."""
        done = (agent or self.agent()).handle(task, 0.0)
        found = [effect.message for effect in done if isinstance(effect, effects.Cast)
                 and isinstance(effect.message, tasks.Report)]
        return found[0] if found else None

    def assert_active(self, report: tasks.Report) -> None:
        """Done, and running."""
        self.assertEqual(("done", lifecycle.RUNNING), (report.result, report.power_state), report)
        self.assertEqual(lifecycle.RUNNING, self.driver.guest(self.uuid).power)

    def each(self):
        """Every step, failed before it did anything and after it did everything."""
        for step in STEPS:
            for after in (False, True):
                with self.subTest(step=step, after=after):
                    self.uuid = str(uuids.uuid4())
                    yield step, after
                    self.driver.destroy(self.uuid)
                    self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_the_steps_are_these(self):
        self.assertEqual(STEPS, tuple(step.name for step in verbs.boot_flow(self.driver).steps))

    def test_a_step_that_fails_leaves_nothing(self):
        for step, after in self.each():
            with Stop(self.driver, step, protocol.HostTrouble("no room"), after):
                report = self.do(self.task())
            self.assertEqual(("failed", True, "no room"),
                             (report.result, report.elsewhere, report.error))
            self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_a_bug_of_the_driver_leaves_nothing_and_no_detail_for_the_owner(self):
        for step, after in self.each():
            with Stop(self.driver, step, KeyError("secret"), after):
                report = self.do(self.task())
            self.assertEqual("failed", report.result)
            self.assertNotIn("secret", report.error)
            self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_after_a_failure_another_boot_works(self):
        for step, after in self.each():
            with Stop(self.driver, step, protocol.HostTrouble("no"), after):
                self.do(self.task())
            self.assert_active(self.do(self.task(ticket=2)))

    def test_killed_in_a_step_and_asked_again_it_is_active(self):
        for step, after in self.each():
            with Stop(self.driver, step, Killed(), after):
                self.assertRaises(Killed, self.do, self.task())
            self.assert_active(self.do(self.task()))

    def test_killed_and_failing_when_asked_again_it_leaves_nothing(self):
        """A repeat does not know what the first try had taken: going back means all of it."""
        for step, after in self.each():
            with Stop(self.driver, step, Killed(), after):
                self.assertRaises(Killed, self.do, self.task())
            with Stop(self.driver, "fetch_image", protocol.HostTrouble("no"), False):
                self.assertEqual("failed", self.do(self.task()).result)
            self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_killed_and_then_deleted_nothing_is_left(self):
        for step, after in self.each():
            with Stop(self.driver, step, Killed(), after):
                self.assertRaises(Killed, self.do, self.task())
            self.assertEqual("done", self.do(self.task("delete", ticket=2)).result)
            self.assertEqual([], self.driver.leftovers(self.uuid))
            self.assertIsNone(self.do(self.task()))      # the late boot is refused
            self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_repeated_when_done_it_answers_and_does_nothing(self):
        first = self.do(self.task())
        for step in STEPS:
            with Stop(self.driver, step, Killed(), False):
                self.assertEqual(first, self.do(self.task()))
        self.assert_active(first)

    def test_a_newer_task_stops_it_between_two_steps(self):
        agent = self.agent()

        def newer(server, name):  # noqa: ANN001
            if name == "define":
                agent._enter(server, (1, 2))
        agent.step = newer
        self.assertIsNone(self.do(self.task(), agent))
        self.assertIsNone(self.driver.guest(self.uuid))
        self.assertEqual("done", self.do(self.task("delete", ticket=2)).result)
        self.assertEqual([], self.driver.leftovers(self.uuid))
