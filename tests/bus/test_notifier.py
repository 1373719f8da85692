# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Notifications on a real broker, read as their consumers read them."""

import threading

import oslo_messaging
from oslo_config import cfg

from nova_cells import conf as configuration
from nova_cells.domain import errors
from nova_cells.rpc import notifier
from tests.bus import base


class Consumer:
    """A service that listens to the topic with oslo.messaging's own listener."""

    def __init__(self):
        self.heard = []
        self.bell = threading.Event()

    def info(self, _context, publisher, event_type, payload, metadata):
        self.heard.append((publisher, event_type, payload))
        self.bell.set()


class Notifier(base.RabbitTest):
    def conf_for(self, url, **more):
        return configuration.new(files=[self.file(url)], overrides={
            "DEFAULT": {"state_path": self.state}, **more})

    def file(self, url):
        path = f"{self.state}/notify.conf"
        with open(path, "w") as file:
            file.write(f"[oslo_messaging_notifications]\ndriver = messagingv2\n"
                       f"transport_url = {url}\n")
        return path

    def strange(self):
        """The configuration of a service that knows nothing of ours."""
        conf = cfg.ConfigOpts()
        conf([], project="somebody", default_config_files=[])
        return conf

    def test_what_is_sent_is_heard_in_order(self):
        conf = self.conf_for(self.bus_url)
        self.assertTrue(notifier.wanted(conf))
        consumer = Consumer()
        listener = oslo_messaging.get_notification_listener(
            oslo_messaging.get_notification_transport(self.strange(), self.bus_url),
            [oslo_messaging.Target(topic="versioned_notifications", exchange="nova")],
            [consumer], executor="threading")
        listener.start()
        self.addCleanup(lambda: (listener.stop(), listener.wait()))
        sender = notifier.Notifier(conf, "top")
        self.addCleanup(sender.close)
        for number in range(20):
            sender.send("instance.update", {"number": number}, 1000.5)
        self.assertTrue(base.wait_for(lambda: len(consumer.heard) == 20))
        self.assertEqual([("nova-cells:top", "instance.update", {"number": number})
                          for number in range(20)], consumer.heard)

    def test_a_broker_that_is_not_there_is_told(self):
        sender = notifier.Notifier(self.conf_for("rabbit://a:b@127.0.0.1:1/"), "top")
        self.addCleanup(sender.close)
        self.assertRaises(errors.CellDown, sender.send, "instance.update", {}, 1.0)

    def test_without_a_driver_nobody_wants_any(self):
        conf = configuration.new(overrides={"DEFAULT": {"state_path": self.state}})
        self.assertFalse(notifier.wanted(conf))
