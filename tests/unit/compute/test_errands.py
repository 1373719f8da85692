# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands on a host: which are carried out, which are too late, what is said of them."""

import unittest.mock

import testtools

from nova_cells.compute import agent, errands, journal
from nova_cells.domain import errands as domain
from nova_cells.domain import errors, tasks
from nova_cells.domain import server as model
from nova_cells.virt import fake
from nova_cells.virt import settings as values


class Errands(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.journal = journal.MemoryJournal()
        self.agent = self.life()
        self.did = []
        self.problem = None
        works = unittest.mock.patch.dict(errands.WORKS, {("volume", "attach_volume"): self.work,
                                                         ("volume", "detach_volume"): self.work})
        works.start()
        self.addCleanup(works.stop)

    def life(self):
        return agent.Agent(fake.FakeDriver(values.Settings(cell="c1", host="h1")), self.journal,
                           "c1", "h1")

    def work(self, doing):
        doing.step(doing.errand.verb)
        self.did.append((doing.errand.verb, doing.errand.ticket))
        if self.problem is not None:
            raise self.problem
        return model.replace(doing.errand, attachment=model.Attachment(volume_id="v"))

    def do(self, verb="attach_volume", ticket=1, version=3, agent_=None):
        errand = domain.Errand(uuid="e-1", server="s-1", kind="volume", epoch=1, verb=verb,
                               ticket=ticket, version=ticket)
        done = (agent_ or self.agent).handle(tasks.ErrandTask(
            server="s-1", epoch=1, version=version, errand=errand), 0.0)
        return done[0].message if done else None

    def test_done_with_what_was_learned(self):
        report = self.do()
        self.assertEqual(("done", "v", 1, 1), (report.result, report.errand.attachment.volume_id,
                                               report.epoch, report.ticket))

    def test_asked_again_it_is_carried_out_again(self):
        self.assertEqual(self.do(), self.do(agent_=self.life()))
        self.assertEqual(2, len(self.did))

    def test_an_older_one_is_refused_by_this_life_and_the_next(self):
        self.do("detach_volume", ticket=2)
        self.assertIsNone(self.do(ticket=1))
        self.assertIsNone(self.do(ticket=1, agent_=self.life()))
        self.assertEqual([("detach_volume", 2)], self.did)

    def test_one_that_was_sent_before_a_later_task_of_its_server_is_left(self):
        self.journal.write("s-1", journal.Entry(epoch=1, ticket=5, verb="delete"))
        self.assertIsNone(self.do(version=4))
        self.assertEqual([], self.did)
        self.assertIsNotNone(self.do(version=5))

    def test_a_problem_is_told_with_its_family_and_a_bug_without_its_words(self):
        self.problem = errors.OverLimit("too many")
        report = self.do()
        self.assertEqual(("failed", "too many", "over_limit"),
                         (report.result, report.error, report.family))
        self.problem = KeyError("secret")
        report = self.do()
        self.assertEqual(("failed", "bug"), (report.result, report.family))
        self.assertNotIn("secret", report.error)

    def test_what_this_host_cannot_do_is_unsupported(self):
        self.assertEqual("unsupported", self.do("fly").family)

    def test_for_another_host_of_this_name_nothing_is_done(self):
        self.agent.start(0.0)
        task = tasks.ErrandTask(server="s-1", epoch=1, version=1, host_uuid="another",
                                errand=domain.Errand(uuid="e", server="s-1", kind="volume"))
        self.assertEqual([], self.agent.handle(task, 0.0))
