"""The connection, against an imitation of libvirt: no libvirt is needed."""

import threading
import types
import unittest
from unittest import mock

from nova_cells.domain import errors
from nova_cells.virt.libvirt import connection, events


class Error(Exception):
    """libvirt's only exception."""

    def __init__(self, message, code=0):
        super().__init__(message)
        self.code = code

    def get_error_code(self):
        return self.code

    def get_error_message(self):
        return str(self)


class Library(unittest.TestCase):
    def setUp(self):
        self.conns = []
        self.libvirt = types.SimpleNamespace(
            libvirtError=Error, VIR_ERR_NO_DOMAIN=42, VIR_ERR_OPERATION_INVALID=55,
            VIR_DOMAIN_EVENT_ID_LIFECYCLE=0, VIR_DOMAIN_EVENT_ID_REBOOT=1,
            VIR_DOMAIN_EVENT_DEFINED=0, VIR_DOMAIN_EVENT_UNDEFINED=1, open=self.open)
        patcher = mock.patch.object(connection, "library", lambda: self.libvirt)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.link = connection.Connection("test:///x")

    def open(self, uri):
        if self.conns and self.conns[-1] is None:
            raise Error("nobody there")
        self.conns.append(mock.Mock(**{"isAlive.return_value": 1}))
        return self.conns[-1]

    def test_opened_once_and_again_when_lost(self):
        self.assertFalse(self.link.alive())
        self.assertEqual([], self.conns)
        self.assertIs(self.link.get(), self.link.get())
        self.conns[0].isAlive.return_value = 0
        self.assertIs(self.conns[1] if self.link.get() else None, self.link.get())
        self.conns[0].close.assert_called_once_with()
        self.conns[1].isAlive.side_effect = Error("lost")
        self.link.get()
        self.assertEqual(3, len(self.conns))

    def test_nobody_there(self):
        self.conns.append(None)
        with self.assertRaisesRegex(errors.HostTrouble, "libvirt at test:///x does not answer"):
            self.link.get()

    def test_who_asked_is_greeted_at_every_opening(self):
        greeted = []
        self.link.on_open(greeted.append)
        self.link.get()
        self.conns[0].isAlive.return_value = 0
        self.link.get()
        self.assertEqual(self.conns, greeted)
        late = []
        self.link.on_open(late.append)
        self.assertEqual(self.conns[1:], late)

    def test_what_errors_mean(self):
        for code, problem in ((42, errors.NotFound), (55, errors.Conflict),
                              (1, errors.HostTrouble), (None, errors.HostTrouble)):
            with self.assertRaisesRegex(problem, "libvirt cannot stop guest u"):
                with self.link.domain("u", "stop"):
                    raise Error("why", code)

    def test_our_own_problems_pass(self):
        with self.assertRaises(errors.Conflict), self.link.use("x"):
            raise errors.Conflict("ours")

    def test_find(self):
        conn = mock.Mock()
        conn.lookupByUUIDString.side_effect = Error("no", 42)
        self.assertIsNone(connection.find(conn, "u"))
        conn.lookupByUUIDString.side_effect = Error("broken", 1)
        with self.assertRaises(Error):
            connection.find(conn, "u")

    def test_events_tell_what_is_now_and_once(self):
        told, arrived = [], threading.Event()
        looks = {"u": "running"}
        guest = lambda uuid: types.SimpleNamespace(uuid=uuid, power=looks[uuid])  # noqa: E731
        happened = events.Events(self.link, guest, lambda: [guest("u")])
        self.addCleanup(happened.close)
        self.link.get()
        calls = {call.args[1]: call.args[2]
                 for call in self.conns[0].domainEventRegisterAny.call_args_list}
        domain = mock.Mock(**{"UUIDString.return_value": "u"})

        def tell(seen):
            told.append(seen.power)
            arrived.set()

        happened.watch(tell)
        for event in (0, 2, 4, 4):           # "defined" is no change of power
            calls[0](None, domain, event, 0, None)
        self.assertTrue(arrived.wait(5))
        arrived.clear()
        looks["u"] = "off"
        calls[1](None, domain, None)
        self.assertTrue(arrived.wait(5))
        self.assertEqual(1, happened.reboots("u"))
        self.assertEqual(["running", "off"], [power for number, power in enumerate(told)
                                              if power not in told[:number]])


class Threads(unittest.TestCase):
    def test_green_threads_are_refused(self):
        fake = types.ModuleType("libvirt")
        with mock.patch.dict("sys.modules", libvirt=fake), \
                mock.patch.object(connection.threading, "Lock", mock.Mock):
            with self.assertRaisesRegex(errors.Invalid, "concurrency_backend = threading"):
                connection.library.__wrapped__()

    def test_no_libvirt(self):
        with mock.patch.dict("sys.modules", libvirt=None):
            with self.assertRaisesRegex(errors.HostTrouble, "pip install nova-cells"):
                connection.library.__wrapped__()
