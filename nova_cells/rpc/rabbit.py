# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``rabbit://``: oslo.messaging's driver with every wait bounded and every queue one cell's.

oslo.messaging waits for a broker as long as it takes, in the caller's thread; here whatever sends
gives up within seconds (``MessageDeliveryFailure``), and only listeners try for ever. Queues are
named after their exchange, so that two cells on one vhost cannot take each other's messages; there
are no fanout queues, for nothing is fanned out. A message is acknowledged when a thread has taken
it, not before, so what a stopped or killed process had in hand goes to the next. What is no
message is put aside (``on_poison``), never returned to the queue.
"""

import contextlib
import logging
import threading
import time

import oslo_messaging
from oslo_messaging._drivers import amqpdriver, base, common, impl_rabbit
from oslo_messaging._drivers import pool as pools

from nova_cells.rpc import deadline

LOG = logging.getLogger(__name__)
TRIES = 1                        # repetitions of whatever may not wait for ever
HOST_TOPICS = frozenset({"compute"})     # topics that are only ever spoken to by host name
PROBE = "nova-cells.probe"       # a message that only shows whether a queue takes messages
PROBED = 5.0                     # seconds
READ_ON = 0.001                  # seconds
AT_MOST = 100                    # frames read on at a time
SETTLE = 1.0                     # seconds for the confirmation that follows a returned message


class Connection(impl_rabbit.Connection):
    """One connection, to send or to listen; neither to make it nor to send takes for ever."""

    def __init__(self, conf, url, purpose, retry=None) -> None:
        self._bounds = conf.rpc
        self._declaring = False
        self._blocked = False
        super().__init__(conf, url, purpose, retry=TRIES if retry is None else retry)
        if purpose == common.PURPOSE_SEND:
            self.kombu_reconnect_delay = 0.0     # the sleep before it would be the caller's

    def ensure_connection(self) -> None:
        self._set_current_channel(None)
        self._blocked = False
        self._hurry()
        try:
            self.connection.ensure_connection(
                errback=self._hurry, max_retries=self.max_retries,
                interval_start=self.interval_start, interval_step=self.interval_stepping,
                interval_max=self.interval_max)
            self._set_current_channel(self.connection.channel())
        except Exception as error:       # of sockets, TLS, kombu or py-amqp: many families
            raise oslo_messaging.MessageDeliveryFailure(
                f"the broker cannot be reached: {type(error).__name__}") from None
        self.set_transport_socket_timeout()

    def ensure(self, method, retry=None, recoverable_error_callback=None, **callbacks):
        def failed(error: Exception) -> None:
            self._hurry(error)
            if recoverable_error_callback is not None:
                recoverable_error_callback(error)

        if retry is None and (self._declaring or self.purpose == common.PURPOSE_SEND):
            retry = TRIES
        self._hurry()
        return super().ensure(method, retry=retry, recoverable_error_callback=failed, **callbacks)

    def reset(self) -> None:
        if self.purpose != common.PURPOSE_SEND:      # who only sends listens to nothing
            super().reset()

    def _hurry(self, error: Exception | None = None, pause: float = 0.0) -> None:
        """Before each try to connect: it takes no longer than the sender may wait."""
        if error is not None:
            LOG.info("the broker %s cannot be reached: %s", self.connection.hostname, error)
        if deadline.over(pause):
            raise oslo_messaging.MessageDeliveryFailure("the broker does not answer in time")
        self.connection.connect_timeout = deadline.at_most(self._bounds.connect_timeout)

    def _heartbeat_thread_job(self) -> None:
        """Keeps a connection alive that is there.  One that is not is for the next sender to make:
        whoever made it here would hold the sender's lock meanwhile."""
        while not self._heartbeat_exit_event.is_set():
            with self._connection_lock.for_heartbeat():
                if self.connection.connected:
                    self._beat()
            self._heartbeat_exit_event.wait(timeout=self._heartbeat_wait_timeout)
        self._heartbeat_exit_event.clear()

    def _beat(self) -> None:
        try:
            self._heartbeat_check()
            with contextlib.suppress(TimeoutError):
                self.connection.drain_events(timeout=READ_ON)
        except Exception as error:       # of sockets, TLS, kombu or py-amqp: many families
            LOG.info("the connection to %s was lost: %s", self.connection.hostname, error)
            self.connection.collect()
            self._set_current_channel(None)
            self._blocked = False

    def declare_consumer(self, consumer):
        self._declaring = True
        try:
            return super().declare_consumer(consumer)
        finally:
            self._declaring = False

    def set_transport_socket_timeout(self, timeout=None) -> None:
        if self.purpose == common.PURPOSE_SEND:
            longest = self._bounds.publish_timeout
            timeout = longest if timeout is None else deadline.at_most(min(timeout, longest))
        super().set_transport_socket_timeout(timeout)

    def declare_queue(self, exchange: str, topic: str, listener) -> None:
        """Listen on one topic of one exchange, by a queue that nobody else's messages reach; it
        goes away when it is unused for long."""
        self.declare_consumer(Consumer(
            exchange_name=exchange, queue_name=f"{exchange}.{topic}", routing_key=topic,
            type="topic", durable=self.durable, exchange_auto_delete=self.amqp_auto_delete,
            queue_auto_delete=self.amqp_auto_delete, callback=listener,
            rabbit_ha_queues=self.rabbit_ha_queues,
            rabbit_queue_ttl=self.rabbit_transient_queues_ttl,
            enable_cancel_on_failover=self.enable_cancel_on_failover,
            rabbit_quorum_queue=self.rabbit_quorum_queue,
            rabbit_quorum_queue_config=self.rabbit_quorum_queue_config))

    def probe(self, queue: str) -> None:
        """TimeoutError for a queue that does not take a message."""
        if self.rabbit_quorum_queue:
            self._producer.publish("", exchange="", routing_key=queue, type=PROBE,
                                   expiration=PROBED, timeout=PROBED)

    def _on_connection_blocked(self, reason) -> None:
        self._blocked = True
        LOG.error("the broker takes no messages: %s", reason)

    def _on_connection_unblocked(self) -> None:
        self._blocked = False

    def _publish(self, *args, **options) -> None:
        if self._blocked:
            raise oslo_messaging.MessageDeliveryFailure("the broker takes no messages")
        self.set_transport_socket_timeout(deadline.at_most(self._bounds.publish_timeout))
        try:
            super()._publish(*args, **options)
        except oslo_messaging.MessageUndeliverable:
            # Its confirmation is still to come, and must not pass for that of the next message.
            with contextlib.suppress(Exception):
                self.connection.drain_events(timeout=SETTLE)
            raise


class Consumer(impl_rabbit.Consumer):
    """A queue that is listened to.  ``callback`` is a ``RabbitListener``."""

    def declare(self, conn) -> None:
        """A quorum queue may come back from a killed broker without a leader, and takes nothing
        any more: it is made anew.  What was in it is sent again by whoever still wants it."""
        super().declare(conn)
        try:
            conn.probe(self.queue_name)
        except TimeoutError:
            LOG.warning("the queue %s takes no messages after a restart of the broker; it is made "
                        "anew", self.queue_name)
            self.queue.delete()
            super().declare(conn)

    def _callback(self, message) -> None:
        message = self.queue.channel.message_to_python(message)
        if message.properties.get("type") == PROBE:
            message.ack()
            return
        try:
            found = _unwrapped(message, self.callback.largest)
        except Exception as error:
            body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
            self.callback.on_poison(f"{type(error).__name__}: {error}", body)
            message.ack()
            return
        self.callback(found)


def _unwrapped(message, largest: int) -> impl_rabbit.RabbitMessage:
    """What was sent.  Raises anything at all for what oslo.messaging could not have sent."""
    if len(message.body) > largest:
        raise ValueError(f"longer than {largest} bytes")
    found = impl_rabbit.RabbitMessage(message)
    if not isinstance(found.get("method"), str) or not isinstance(found.get("args"), dict):
        raise ValueError("no method and arguments")
    for name in ("_msg_id", "_reply_q", "_unique_id"):
        if not isinstance(found.get(name, ""), str | None):
            raise ValueError(f"{name} is no text")
    return found


class Incoming(amqpdriver.AMQPIncomingMessage):
    """A message that is the broker's until it is acknowledged.  The first ``acknowledge`` or
    ``requeue`` counts, and must be made by the thread that listens: connections are not
    thread-safe."""

    settled = False

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.arrived = time.monotonic()

    def acknowledge(self) -> None:
        if not self.settled:
            self.settled = True
            self.message.acknowledge()

    def requeue(self) -> None:
        if not self.settled:
            self.settled = True
            self.message.requeue()

    def read_on(self) -> None:
        """While no thread is free for this one: what comes after it is read, so that it is known
        how long it waited, and the broker hears that we live."""
        with contextlib.suppress(Exception):     # whatever it is, the listener will meet it too
            for _frame in range(AT_MOST):
                self.listener.conn.consume(timeout=READ_ON)      # Timeout: nothing is there


class RabbitListener(amqpdriver.AMQPListener):
    """Takes messages.  What comes twice is delivered twice: whoever handles it must not mind."""

    message_cls = Incoming
    use_cache = False

    def __init__(self, driver, conn) -> None:
        super().__init__(driver, conn)
        self.largest = driver.conf.rpc.max_message_size
        self.on_poison = lambda reason, body: None


class _Pool(pools.ConnectionPool):
    """Sending connections; whoever waits too long for a free one gives up."""

    def __init__(self, conf, size: int, least: int, ttl: int, url) -> None:  # noqa: ANN001
        super().__init__(conf, size, least, ttl, url, Connection)
        self._slots = threading.Semaphore(size)

    def get(self, retry=None):
        if not self._slots.acquire(timeout=deadline.at_most(self.conf.rpc.publish_timeout)):
            raise oslo_messaging.MessageDeliveryFailure("every connection to the broker is busy")
        try:
            return self._any(retry)
        except BaseException:
            self._slots.release()
            raise

    def _any(self, retry) -> Connection:  # noqa: ANN001
        """A new one may be refused while old ones live on, such as after the password was
        changed: then one of those will do."""
        try:
            return super().get(retry=retry)
        except oslo_messaging.MessageDeliveryFailure:
            with self._cond:
                if self._current_size and self._cond.wait_for(
                        lambda: self._items, deadline.at_most(self.conf.rpc.publish_timeout)):
                    return self._items.pop()[1]
            raise

    def put(self, item) -> None:
        super().put(item)
        self._slots.release()

    def _on_expire(self, connection) -> None:
        """Under the lock of the pool: a broker that is silent would keep everybody waiting."""
        threading.Thread(target=connection.close, daemon=True, name="connection-end").start()


class RabbitDriver(impl_rabbit.RabbitDriver):
    """The driver of one transport URL."""

    def __init__(self, conf, url, default_exchange=None, allowed_remote_exmods=None) -> None:
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        options = self.conf.oslo_messaging_rabbit
        self._connection_pool = _Pool(self.conf, options.rpc_conn_pool_size,
                                      options.conn_pool_min_size, options.conn_pool_ttl, url)
        self._opening = threading.Lock()
        self._open_failed = float("-inf")

    def send(self, target, ctxt, message, wait_for_reply=None, timeout=None, **options):
        taken = self.conf.rpc.publish_timeout
        if wait_for_reply and timeout is not None:
            taken = min(taken, timeout)
        if not wait_for_reply and timeout is None:
            timeout = self.conf.rpc.cast_ttl
        with deadline.within(taken):
            return super().send(target, ctxt, message, wait_for_reply, timeout, **options)

    def listen(self, target, batch_size, batch_timeout) -> base.Listener:
        conn = self._get_connection(common.PURPOSE_LISTEN)
        listener = RabbitListener(self, conn)
        topic = f"{target.topic}.{target.server}" if target.topic in HOST_TOPICS else target.topic
        conn.declare_queue(self._get_exchange(target), topic, listener)
        with self._get_connection(common.PURPOSE_SEND):
            pass                     # there is one for answers, whatever becomes of the password
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def _get_reply_q(self) -> str:
        """One caller at a time opens the way for answers; when it fails, it fails for all who
        waited meanwhile, or each would wait as long again."""
        if self._reply_q is not None:
            return self._reply_q
        began = time.monotonic()
        if not self._opening.acquire(timeout=deadline.at_most(self.conf.rpc.publish_timeout)):
            raise oslo_messaging.MessageDeliveryFailure("the broker cannot be reached")
        try:
            if self._open_failed >= began:
                raise oslo_messaging.MessageDeliveryFailure("the broker cannot be reached")
            return super()._get_reply_q()
        except Exception:
            self._open_failed = time.monotonic()
            raise
        finally:
            self._opening.release()
