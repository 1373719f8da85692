# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rebuild, rescue and their like on a fake host: failed, killed and repeated at each step."""

import unittest
import uuid as uuids

from nova_cells import seal as sealing
from nova_cells.compute import agent as agents
from nova_cells.compute import inplace, journal
from nova_cells.domain import boot, effects, errors, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import fake as images
from nova_cells.virt import fake, fake_inplace, protocol, settings
from tests.conformance.failing import Killed, Stop

RUNNING, SHUTDOWN = lifecycle.RUNNING, lifecycle.SHUTDOWN
#: What of the driver each flow calls, in its order.
STEPS = {
    "rebuild": ("fetch_image", "stop", "set_aside", "create_disk", "write_config_drive", "define",
                "start", "drop_aside"),
    "rescue": ("fetch_image", "stop", "rescue", "start"),
    "unrescue": ("stop", "unrescue", "start")}
ONCE = {"change_password": "set_password", "crash_dump": "crash_dump"}


class Inplace(unittest.TestCase):
    def setUp(self):
        self.images = images.FakeImages()
        self.first, self.second = self.images.list()
        self.seal = sealing.Seal.fresh()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"), self.images)
        self.journal = journal.MemoryJournal()
        self.fresh()

    def fresh(self, rest="active"):
        """A server that was booted with the first image, and came to this rest."""
        self.uuid, self.ticket, self.rest = str(uuids.uuid4()), 0, "building"
        self.do("boot")
        self.rest = rest
        if rest == "stopped":
            self.do("stop")
        elif rest == "rescued":
            self.rest = "active"
            self.do("rescue", wanted=self.wanted("rescue"))
            self.rest = rest

    def agent(self):
        return agents.Agent(self.driver, self.journal, "c1", "h1", seal=self.seal)

    def wanted(self, verb):
        secrets = self.seal.close_secrets(boot.Secrets(admin_password="new", files=(("p", "eA=="),)
                                                       if verb == "rebuild" else ()))
        return wants.Wanted(image=self.second if verb in ("rebuild", "rescue") else None,
                            secrets=secrets)

    def task(self, verb, again=False, wanted=None):
        self.ticket += not again
        guest = self.driver.guest(self.uuid)
        wanted = wanted or self.wanted(verb)
        image = self.second if verb == "rebuild" else self.first
        record = model.Server(
            uuid=self.uuid, project_id="p", user_id="u", epoch=1, version=self.ticket, verb=verb,
            ticket=self.ticket, created_at=0.0, image=image, host="h1", rest=self.rest,
            power_state=self.power if again else guest.power if guest else 0,
            flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1,
                                ephemeral_gb=1),
            config_drive=True, name="guest", hostname="guest", metadata={"a": verb})
        self.power = record.power_state
        return tasks.Task(
            server=self.uuid, epoch=1, ticket=self.ticket, verb=verb, record=record,
            request=boot.BootRequest(key=boot.Key(name="key", kind="ssh", data="k")),
            secrets=self.seal.close_secrets(boot.Secrets(user_data="dGV4dA==")), wanted=wanted)

    def do(self, verb, agent=None, **how):
        sent = (agent or self.agent()).handle(self.task(verb, **how), 0.0)
        found = [effect.message for effect in sent if isinstance(effect, effects.Cast)
                 and isinstance(effect.message, tasks.Report)]
        return found[-1] if found else None

    def guest(self):
        return self.driver._guests[self.uuid]

    def state(self):
        """What a user could tell of the guest, but for its console and its ticket."""
        guest = self.guest()
        return (guest.power, guest.disk_gb, guest.config_drive, guest.aside, guest.rescue,
                guest.knows)

    def each(self, verb, rest="active"):
        for step in STEPS[verb]:
            for after in (False, True):
                with self.subTest(verb=verb, rest=rest, step=step, after=after):
                    self.fresh(rest)
                    yield step, after
                    self.driver.destroy(self.uuid)
                    self.assertEqual([], self.driver.leftovers(self.uuid))

    def stop(self, step, problem, after):
        return Stop(self.driver, step, problem, after)


class Flows(Inplace):
    def assert_done(self, verb, rest, report):
        self.assertEqual("done", report.result, report)
        guest = self.guest()
        self.assertIsNone(guest.aside)
        self.assertEqual(SHUTDOWN if rest == "stopped" else RUNNING, guest.power)
        self.assertEqual(self.second.id if verb == "rescue" else "", guest.rescue)
        told = fake_inplace.digest("new") if verb == "rescue" else ""
        self.assertEqual(told, guest.rescue_password)
        image = self.second if verb == "rebuild" else self.first
        self.assertEqual(image.id, guest.knows["image"])

    def test_the_steps_are_these(self):
        work = self.agent()._work(self.task("rebuild"), False, lambda _name: None)
        self.assertEqual(STEPS["rebuild"],
                         tuple(step.name for step in inplace.rebuild_flow(work).steps))
        self.assertEqual(STEPS["rescue"],
                         tuple(step.name for step in inplace.rescue_flow(work).steps))
        self.assertEqual(STEPS["unrescue"],
                         tuple(step.name for step in inplace.unrescue_flow(work).steps))

    def test_a_step_that_fails_leaves_the_guest_as_it_was(self):
        for verb, rest in (("rebuild", "active"), ("rebuild", "stopped"), ("rescue", "active"),
                           ("rescue", "stopped")):
            for step, after in self.each(verb, rest):
                if (verb, rest, step) == ("rebuild", "stopped", "start"):
                    continue             # it is not started
                if step == "drop_aside" and after:
                    continue             # the new one is all that there is
                before = self.state()
                with self.stop(step, protocol.HostTrouble("no"), after):
                    report = self.do(verb)
                self.assertEqual(("failed", "no"), (report.result, report.error))
                # What cannot be started is not started by the way back either.
                same = slice(1, None) if step == "start" else slice(None)
                self.assertEqual(before[same], self.state()[same])

    def test_killed_in_a_step_and_asked_again_it_is_done(self):
        for verb, rest in (("rebuild", "active"), ("rebuild", "stopped"), ("rescue", "active"),
                           ("unrescue", "rescued")):
            for step, after in self.each(verb, rest):
                if (rest, step) == ("stopped", "start"):
                    continue
                with self.stop(step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb)
                self.assert_done(verb, rest, self.do(verb, again=True))

    def test_killed_and_failing_when_asked_again_there_is_one_whole_guest(self):
        for verb in ("rebuild", "rescue"):
            for step, after in self.each(verb):
                with self.stop(step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb)
                with self.stop("fetch_image", protocol.HostTrouble("no"), False):
                    self.assertEqual("failed", self.do(verb, again=True).result)
                guest = self.guest()
                self.assertEqual((RUNNING, None, ""), (guest.power, guest.aside, guest.rescue))
                self.assertIsNotNone(guest.disk_gb)

    def test_killed_and_then_deleted_nothing_is_left(self):
        for verb in ("rebuild", "rescue"):
            for step, after in self.each(verb):
                with self.stop(step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb)
                self.assertEqual("done", self.do("delete").result)
                self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_an_older_rebuild_that_was_cut_short_is_forgotten_by_a_new_one(self):
        self.fresh()
        with self.stop("define", Killed(), False):
            self.assertRaises(Killed, self.do, "rebuild")
        self.assert_done("rebuild", "active", self.do("rebuild"))

    def test_what_a_finished_one_left_aside_does_not_come_back_with_the_next(self):
        with self.stop("drop_aside", Killed(), False):
            self.assertRaises(Killed, self.do, "rebuild")
        before = self.guest().knows
        with self.stop("create_disk", protocol.HostTrouble("no"), False):
            self.assertEqual("failed", self.do("rebuild").result)
        self.assertEqual(before, self.guest().knows)
        self.assertEqual(self.second.id, self.guest().knows["image"])

    def test_the_guest_is_told_what_is_new(self):
        self.do("rebuild")
        knows = self.guest().knows
        self.assertEqual(("key", "p", "rebuild", fake_inplace.digest(b"text"),
                          fake_inplace.digest("new")),
                         tuple(knows[name] for name in ("keys", "files", "meta:a", "user_data",
                                                        "password")))

    def test_ephemeral_disk_is_kept_if_asked(self):
        made = self.guest().ephemeral
        self.do("rebuild", wanted=model.replace(self.wanted("rebuild"),
                                                options={"preserve_ephemeral": "true"}))
        self.assertEqual(made, self.guest().ephemeral)
        self.do("rebuild")
        self.assertEqual(self.ticket, self.guest().ephemeral)

    def test_without_a_guest_a_rebuild_makes_one(self):
        self.driver.destroy(self.uuid)
        self.rest = "error"
        self.assertEqual("done", self.do("rebuild").result)
        self.assertEqual(RUNNING, self.guest().power)

    def test_hard_reboot_is_from_its_own_disk(self):
        self.fresh("rescued")
        self.do("reboot_hard")
        self.assertEqual("", self.guest().rescue)

    def test_put_aside_and_restored(self):
        for rest in ("active", "rescued", "stopped"):
            self.fresh(rest)
            self.assertEqual(("done", SHUTDOWN), (
                lambda r: (r.result, r.power_state))(self.do("soft_delete")))
            self.assertEqual(("done", RUNNING), (
                lambda r: (r.result, r.power_state))(self.do("restore")))
            self.assertEqual("", self.guest().rescue)
        self.driver.destroy(self.uuid)
        self.assertEqual("done", self.do("soft_delete").result)


class Once(Inplace):
    def count(self):
        return {"change_password": self.guest().passwords, "crash_dump": self.guest().dumps}

    def test_done_once_and_answered_again(self):
        for verb in ONCE:
            self.fresh()
            first = self.do(verb)
            self.assertEqual(("done", first), (first.result, self.do(verb, again=True)))
            self.assertEqual(1, self.count()[verb])

    def test_killed_in_it_nobody_guesses(self):
        for verb, method in ONCE.items():
            for after in (False, True):
                self.fresh()
                with self.stop(method, Killed(), after):
                    self.assertRaises(Killed, self.do, verb)
                report = self.do(verb, again=True)
                self.assertEqual("failed", report.result)
                self.assertIn("is not known", report.error)
                self.assertEqual(int(after), self.count()[verb])

    def test_what_is_off_is_refused(self):
        for verb in ONCE:
            self.fresh("stopped")
            self.assertEqual("failed", self.do(verb).result)

    def test_the_password_is_in_no_report(self):
        self.fresh()
        with self.stop("set_password", KeyError("new"), False):
            report = self.do("change_password")
        self.assertEqual(("failed", None), (report.result, report.details))
        self.assertNotIn("new", report.error)
        self.assertEqual("done", self.do("change_password").result)
        self.assertEqual(fake_inplace.digest("new"), self.guest().knows["password"])
        with self.stop("set_password", errors.Conflict("the agent inside is not there"), False):
            self.assertIn("agent", self.do("change_password").error)
