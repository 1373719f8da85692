# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Notifications on a message bus, each taken by the broker before the next is sent.

oslo.messaging's own ``Notifier`` logs what it could not send and goes on; what must arrive at
least once needs to hear of it, so the transport is used directly, in the same envelope.
"""

import datetime
import uuid

import oslo_messaging
from oslo_config import cfg

from nova_cells import conf as confs
from nova_cells.domain import errors
from nova_cells.rpc import transport as transports

#: The drivers of [oslo_messaging_notifications] that mean "on the bus".
ON_THE_BUS = ("messagingv2", "messaging")
PRIORITY = "info"


def wanted(conf: cfg.ConfigOpts) -> bool:
    """Whether the operator asks for notifications."""
    return any(driver in ON_THE_BUS for driver in _options(conf).driver)


class Notifier:
    """Sends to each topic of ``[notifications] versioned_notifications_topics``."""

    def __init__(self, conf: cfg.ConfigOpts, host: str) -> None:
        options = _options(conf)
        url = options.transport_url
        if not url:
            raise errors.Invalid("[oslo_messaging_notifications] transport_url is not set: name "
                                 "the bus that notifications go to")
        # Exchanges and queues are shared with strangers, so they are what the file and
        # oslo.messaging say, and not what our own buses have by default.
        conf = confs.new(files=conf.config_file or ())
        transports.prepare(conf, ours=False)
        self._publisher = f"nova-cells:{host}"
        self._retry = 1
        self._transport = oslo_messaging.get_notification_transport(conf, url)
        self._topics = [f"{topic}.{PRIORITY}"
                        for topic in conf.notifications.versioned_notifications_topics]

    def send(self, event_type: str, payload: dict, created_at: float) -> None:
        """``CellDown`` with a sentence if the broker did not take it."""
        message = {
            "message_id": str(uuid.uuid4()), "publisher_id": self._publisher,
            "event_type": event_type, "priority": PRIORITY.upper(), "payload": payload,
            "timestamp": str(datetime.datetime.fromtimestamp(
                created_at, datetime.UTC).replace(tzinfo=None))}
        for topic in self._topics:
            try:
                self._transport._send_notification(
                    oslo_messaging.Target(topic=topic, exchange="nova"), {}, message,
                    version=2.0, retry=self._retry)
            except Exception as problem:         # whatever a driver raises: it was not taken
                raise errors.CellDown("the bus for notifications does not take them: "
                                      f"{str(problem).partition(chr(10))[0]}") from None

    def close(self) -> None:
        """Let the bus go."""
        self._transport.cleanup()


def _options(conf: cfg.ConfigOpts):  # noqa: ANN202
    from oslo_messaging.notify import notifier

    conf.register_opts(notifier._notifier_opts, group="oslo_messaging_notifications")
    return conf.oslo_messaging_notifications
