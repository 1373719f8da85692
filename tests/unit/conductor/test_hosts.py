# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts appear, fall silent, come back and say goodbye; strangers are refused."""

import uuid as uuids

from nova_cells.domain import effects, records, tasks
from tests.unit.conductor import base

TICK = effects.Tick(job="hosts")
H1 = str(uuids.uuid5(uuids.NAMESPACE_DNS, "h1"))


class Hosts(base.CellTest):
    def up(self, name="h1"):
        with self.store.read() as tx:
            return self.store.hosts.get(tx, name).up

    def names(self):
        with self.store.read() as tx:
            return [host.name for host in self.store.hosts.all(tx)]

    def watch(self, conductor, begin, end, deaf=False):
        """Its ticks, from the one second to the other; what came of them.  Its parent's
        acknowledgements come meanwhile, unless it is deaf."""
        return [effect for second in range(begin, end, 2)
                for effect in self.ticks(conductor, base.NOW + second, deaf)]

    def ticks(self, conductor, now, deaf=False):
        if not deaf:
            conductor.handle(records.Acks(batch=0), now)
        return conductor.handle(TICK, now)


class Silence(Hosts):
    def test_silent_host_is_down_and_comes_back_by_its_next_word(self):
        self.watch(self.conductor, 0, 25)
        self.assertTrue(self.up())
        self.assertEqual([effects.Wake("relay")], self.watch(self.conductor, 26, 60))
        self.assertFalse(self.up())
        self.hello("h1", base.NOW + 62)
        self.assertTrue(self.up())

    def test_conductor_that_hears_nobody_at_all_accuses_nobody(self):
        """Not the hosts are silent then, but the bus."""
        self.watch(self.conductor, 0, 10)
        self.assertEqual([], self.watch(self.conductor, 10, 600, deaf=True))
        self.assertEqual([], self.watch(self.conductor, 600, 624))
        self.assertTrue(self.up())
        self.watch(self.conductor, 624, 630)
        self.assertFalse(self.up())

    def test_host_that_speaks_to_another_conductor_is_up(self):
        """Of several conductors each hears a part; what one hears, all of them know."""
        other = self.another()
        for second in range(0, 300, 12):
            self.hello("h1", base.NOW + second, conductor=other)
            self.watch(self.conductor, second, second + 12)
            self.watch(other, second, second + 12)
            self.assertTrue(self.up())

    def test_clocks_of_conductors_may_differ_by_any_amount(self):
        for skew in (-600, 600):
            other = self.another()
            for second in range(0, 300, 12):
                self.hello("h1", base.NOW + second + skew, conductor=other)
                self.watch(self.conductor, second, second + 12)
                self.watch(other, second + skew, second + skew + 12)
                self.assertTrue(self.up())

    def test_conductor_that_starts_accuses_nobody(self):
        late = self.another()
        late.start(base.NOW + 1000)
        self.watch(late, 1000, 1025)
        self.assertTrue(self.up())
        self.watch(late, 1025, 1030)
        self.assertFalse(self.up())

    def test_note_of_a_dead_conductor_vouches_for_nobody(self):
        self.watch(self.another(), 0, 4)
        late = self.another()
        late.start(base.NOW + 1000)
        self.watch(late, 1000, 1030)
        self.assertFalse(self.up())

    def test_conductor_whose_clock_is_set_or_that_slept_accuses_nobody(self):
        self.watch(self.conductor, 0, 10)
        for jump in (1000, -5000):
            self.watch(self.conductor, jump, jump + 24)
            self.assertTrue(self.up(), jump)

    def test_two_conductors_find_it_silent_once(self):
        other = self.another()
        found = []
        for second in range(0, 60, 2):
            for conductor in (self.conductor, other):
                found += self.ticks(conductor, base.NOW + second)
        self.assertEqual([effects.Wake("relay")], found)

    def test_host_that_spoke_to_another_just_now_is_not_accused(self):
        self.watch(self.conductor, 0, 26)
        self.hello("h1", base.NOW + 26, conductor=self.another())
        self.assertEqual([], self.conductor.hosts._silent("h1", base.NOW + 27))
        self.assertTrue(self.up())

    def test_note_of_a_conductor_that_is_gone_is_dropped(self):
        self.hello("h1", base.NOW, conductor=self.another())
        self.watch(self.conductor, 0, 600)
        with self.store.read() as tx:
            self.assertEqual({self.conductor.hosts.signs._own}, set(self.store.hosts.notes(tx)))


class NoNews(Hosts):
    def statements(self, do):
        """What it costs."""
        import sqlalchemy as sa

        seen = []
        sa.event.listen(self.store.engine, "before_cursor_execute",
                        lambda *words: seen.append(words[2]))
        do()
        return [text for text in seen if not text.startswith("BEGIN")]

    def test_what_is_no_news_costs_no_statement(self):
        """A thousand words within a moment: one note of all of them."""
        for number in range(30):
            self.hello(f"n{number}", base.NOW)
        self.conductor.handle(TICK, base.NOW + 1)

        def again():
            for number in range(30):
                self.hello(f"n{number}", base.NOW + 12)
        self.assertLessEqual(len(self.statements(again)), 2)
        self.assertLessEqual(len(self.statements(
            lambda: self.conductor.handle(TICK, base.NOW + 14))), 6)

    def test_what_is_news_is_saved(self):
        self.conductor.handle(TICK, base.NOW + 1)
        self.hello("h1", base.NOW + 2, vcpus=8)
        with self.store.read() as tx:
            self.assertEqual(8, self.store.hosts.get(tx, "h1").totals["VCPU"])

    def test_hosts_are_known_by_their_first_word(self):
        self.hello("h2")
        self.assertEqual(["h1", "h2"], self.names())


class Goodbye(Hosts):
    def said(self, life, uuid=H1):
        return self.conductor.handle(tasks.Goodbye(host="h1", uuid=uuid, life=life),
                                     base.NOW + 1)

    def test_down_at_once_and_back_by_its_next_word(self):
        self.assertEqual([effects.Wake("relay")], self.said(""))
        self.assertFalse(self.up())
        self.assertEqual([], self.said(""))
        self.hello("h1", base.NOW + 2)
        self.assertTrue(self.up())

    def test_late_goodbye_of_an_older_life_and_a_stranger_s_change_nothing(self):
        self.assertEqual([], self.said("an older life"))
        self.assertEqual([], self.said("", uuid="another host"))
        self.assertTrue(self.up())


class Strangers(Hosts):
    def word(self, host, uuid, starting=True):
        return self.conductor.handle(tasks.Hello(host=host, uuid=uuid, node=host,
                                                 starting=starting), base.NOW + 1)

    def refused(self, done, host):
        sent, = done
        self.assertEqual(host, sent.to.host)
        self.assertIsInstance(sent.message, tasks.Refused)
        return sent.message.reason

    def test_known_name_with_another_uuid(self):
        self.active()
        reason = self.refused(self.word("h1", "another"), "h1")
        self.assertIn("host forget CELL h1", reason)
        self.assertEqual(["h1"], self.names())
        with self.store.read() as tx:
            self.assertIsNone(self.store.resources.provider(tx, "another"))

    def test_known_uuid_under_another_name(self):
        reason = self.refused(self.word("renamed", H1), "renamed")
        self.assertIn("name it h1 again", reason)
        self.assertEqual(["h1"], self.names())

    def test_stranger_does_not_keep_the_host_alive_nor_speak_for_its_guests(self):
        self.active()
        for second in range(0, 60, 2):
            self.conductor.handle(TICK, base.NOW + second)
            self.word("h1", "another", starting=False)
            self.assertEqual([], self.conductor.handle(tasks.GuestsSeen(
                host="h1", uuid="another", guests=()), base.NOW + second))
        self.assertFalse(self.up())

    def test_host_that_is_known_is_welcome(self):
        done = self.hello("h1", starting=True)
        self.assertEqual([tasks.Welcome(uuid=H1)], [
            effect.message for effect in done if isinstance(effect, effects.Cast)])

    def test_logged_once(self):
        with self.assertLogs("nova_cells.conductor.hosts", "ERROR") as log:
            for _ in range(5):
                self.word("renamed", H1)
        self.assertEqual(1, len(log.records))

    def test_tasks_say_which_host_they_are_for(self):
        uuid = self.ids.uuid()
        self.offer(uuid)
        task, = base.tasks_in(self.acks(uuid, "confirmed"))
        self.assertEqual(H1, task.host_uuid)
