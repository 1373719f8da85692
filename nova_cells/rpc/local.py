# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``local://NAME``: an oslo.messaging driver whose bus is this process.

For the stand-alone profile and for tests. Two transports speak to each other if and only if their
URLs name the same virtual host; inside one, a queue is (exchange, topic) or (exchange, topic,
server). Everything is serialised to JSON text and back. At most once, as every driver of
oslo.messaging: a message that was taken is gone.
"""

import json
import threading
import time

import oslo_messaging
from oslo_messaging._drivers import base, common

from nova_cells.conf import rpc as options
from nova_cells.rpc import bus as buses


class NobodyListens(oslo_messaging.MessagingTimeout):
    """The call would have waited in vain."""


class Incoming(base.RpcIncomingMessage):
    """A message taken from the bus."""

    def __init__(self, bus: buses.Bus, parcel: buses.Parcel) -> None:
        context, message = json.loads(parcel.text)
        super().__init__(context, message)
        self._bus = bus
        self._parcel = parcel
        self.arrived = time.monotonic()

    def reply(self, reply=None, failure=None) -> None:
        call = self._parcel.call
        if call is None:
            return
        if failure:
            call.answer(None, common.serialize_remote_exception(failure))
        else:
            call.answer(_text(reply), None)

    def requeue(self) -> None:
        self._bus.put_back(self._parcel)

    def heartbeat(self) -> None:
        """Nobody watches: in one process the server cannot vanish without its caller."""


class LocalListener(base.PollStyleListener):
    """Takes messages from some queues of one bus, until it is stopped."""

    def __init__(self, bus: buses.Bus, keys: list[buses.Key], fanout: buses.Key | None) -> None:
        super().__init__()
        self._bus = bus
        self._ear = bus.listen(keys, fanout)

    @base.batch_poll_helper
    def poll(self, timeout=None) -> Incoming | None:
        parcel = self._ear.take(timeout)
        return None if parcel is None else Incoming(self._bus, parcel)

    def stop(self) -> None:
        self._ear.stop()

    def cleanup(self) -> None:
        self._ear.stop()


class LocalDriver(base.BaseDriver):
    """The driver; ``URL`` is ``local://name`` or ``local:///name``."""

    def __init__(self, conf, url, default_exchange=None, allowed_remote_exmods=None) -> None:
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        conf.register_opts(options.RPC, group="rpc")
        hosts = ",".join(host.hostname or "" for host in url.hosts)
        self._name = f"{hosts}/{url.virtual_host or ''}"
        self._bus = buses.open_bus(self._name, conf.rpc.local_queue_size)
        self._fail_fast = conf.rpc.local_fail_fast
        self._open = True
        self._lock = threading.Lock()

    def require_features(self, requeue=True) -> None:
        """Requeueing works."""

    def send(self, target, ctxt, message, wait_for_reply=None, timeout=None,
             call_monitor_timeout=None, retry=None, transport_options=None):
        key = self._key(target)
        text = _text([ctxt, message])
        if not wait_for_reply and timeout is None:
            timeout = self.conf.rpc.cast_ttl
        if target.fanout:
            self._bus.fan_out(key[:2], text, timeout)
            return None
        if not wait_for_reply:
            self._put(buses.Parcel(key, text, None, timeout))
            return None
        call = buses.Call()
        self._put(buses.Parcel(key, text, call, timeout), self._fail_fast)
        answer = call.wait(timeout)
        if answer is None:
            raise oslo_messaging.MessagingTimeout(f"no answer on {_words(key)} in {timeout:g} s")
        reply, failure = answer
        if failure is not None:
            raise common.deserialize_remote_exception(failure, self._allowed_remote_exmods)
        return json.loads(reply)

    def send_notification(self, target, ctxt, message, version, retry=None) -> None:
        key = self._key(target)[:2]
        text = _text([ctxt, message])
        for queue in [key, *self._bus.pools(key)]:
            self._put(buses.Parcel(queue, text, None, None))

    def listen(self, target, batch_size, batch_timeout) -> base.Listener:
        exchange = self._exchange(target)
        shared = (exchange, target.topic)
        keys = [shared]
        if target.server:
            keys.append((exchange, target.topic, target.server))
        listener = LocalListener(self._bus, keys, shared)
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def listen_for_notifications(self, targets_and_priorities, pool, batch_size, batch_timeout):
        keys = []
        for target, priority in targets_and_priorities:
            key = (self._exchange(target), f"{target.topic}.{priority}")
            keys.append((*key, "", pool) if pool else key)
        listener = LocalListener(self._bus, keys, None)
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def cleanup(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                buses.close_bus(self._name)

    def _exchange(self, target) -> str:
        return target.exchange or self._default_exchange

    def _key(self, target) -> buses.Key:
        key = (self._exchange(target), target.topic)
        return (*key, target.server) if target.server else key

    def _put(self, parcel: buses.Parcel, must_be_heard: bool = False) -> None:
        try:
            self._bus.put(parcel, must_be_heard)
        except buses.Full:
            raise oslo_messaging.MessageDeliveryFailure(
                f"the queue of {_words(parcel.key)} is full") from None
        except buses.Unheard:
            raise NobodyListens(f"nobody listens on {_words(parcel.key)}") from None


def _text(value) -> str:
    """JSON, strictly: what is not plain data is a bug of the sender and raises TypeError."""
    return json.dumps(value, separators=(",", ":"))


def _words(key: buses.Key) -> str:
    return "/".join(str(part) for part in key)
