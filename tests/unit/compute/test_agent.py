# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An agent and its cell: welcome, refused, goodbye; what is meant for another is left alone."""

import testtools

from nova_cells.compute import agent, journal
from nova_cells.conf import services
from nova_cells.domain import effects, errors, server, tasks
from nova_cells.image import fake as images
from nova_cells.virt import fake, settings

HELLO, GUESTS = effects.Tick(job="hello"), effects.Tick(job="guests")


class Agent(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"),
                                      images.FakeImages())
        self.uuid = self.driver.facts().uuid
        self.journal = journal.MemoryJournal()
        self.agent = agent.Agent(self.driver, self.journal, "c1", "h1")
        self.hello = self.agent.start(0.0)[0].message

    def said(self, message):
        return [effect.message for effect in self.agent.handle(message, 0.0)]

    def task(self, **fields):
        record = server.Server(uuid="s", project_id="p", user_id="u", epoch=1, version=1,
                               flavor=server.Flavor(id="1", name="f", vcpus=1, ram_mb=1,
                                                    disk_gb=1),
                               name="s", verb="delete", created_at=0.0)
        return tasks.Task(server="s", epoch=1, ticket=1, verb="delete", record=record, **fields)

    def refuse(self):
        self.said(tasks.Refused(uuid=self.uuid, reason="two of that name"))

    def test_goodbye_is_of_the_life_that_said_hello(self):
        left, = self.agent.leave(0.0)
        self.assertEqual(tasks.Goodbye(host="h1", uuid=self.uuid, life=self.hello.life),
                         left.message)
        other = agent.Agent(self.driver, self.journal, "c1", "h1")
        self.assertNotEqual(self.hello.life, other.start(0.0)[0].message.life)

    def test_refused_does_nothing_but_ask_again(self):
        self.refuse()
        for message in (self.task(), self.task(host_uuid=self.uuid), GUESTS,
                        effects.Tick(job="events"), tasks.Look(server="s", epoch=1, version=1),
                        tasks.Sweep(server="s", epoch=1, ticket=1)):
            self.assertEqual([], self.said(message))
        self.assertIsNone(self.journal.read("s"))
        self.assertRaises(errors.Conflict, self.said, tasks.ConsoleQuery(server="s"))
        again, = self.said(HELLO)
        self.assertTrue(again.starting)
        self.assertEqual([], self.agent.leave(0.0))

    def test_welcome_after_all(self):
        self.refuse()
        self.said(tasks.Welcome(uuid="another"))
        self.assertEqual([], self.said(GUESTS))
        guests, = self.said(tasks.Welcome(uuid=self.uuid))
        self.assertIsInstance(guests, tasks.GuestsSeen)
        self.assertEqual("done", self.said(self.task())[0].result)

    def test_word_for_another_host_of_that_name_is_left_alone(self):
        self.said(tasks.Refused(uuid="another", reason="?"))
        self.assertIsNone(self.agent.refused)
        self.assertEqual([], self.said(self.task(host_uuid="another")))
        self.assertIsNone(self.journal.read("s"))
        self.assertEqual("done", self.said(self.task(host_uuid=self.uuid))[0].result)

    def test_guests_say_whose_they_are(self):
        self.assertEqual(self.uuid, self.said(GUESTS)[0].uuid)


class Idle(testtools.TestCase):
    def test_a_host_sends_a_message_in_ten_seconds_and_is_down_in_half_a_minute(self):
        """goals.md: idle traffic; a killed host is shown down within 30 seconds."""
        defaults = {option.name: option.default
                    for option in (*services.COMPUTE, *services.CONDUCTOR)}
        self.assertLessEqual(1 / defaults["hello"] + 1 / defaults["guests"], 0.1 + 1e-9)
        self.assertLess(2 * defaults["hello"], defaults["host_down_after"])
        self.assertLess(defaults["host_down_after"], 28)     # a tick, and the way up
