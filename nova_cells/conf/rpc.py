# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the bus: how long callers wait, and what happens while a cell does not answer."""

from oslo_config import cfg

RPC = [
    cfg.FloatOpt("budget", default=15.0, min=0.1,
                 help="Seconds that the API waits for a cell's answer before it says that the "
                      "cell does not answer (503)."),
    cfg.FloatOpt("delete_budget", default=5.0, min=0.1,
                 help="Seconds that the API waits for a cell's answer to a delete before it keeps "
                      "the order for the cell and answers 204."),
    cfg.FloatOpt("forward_budget", default=10.0, min=0.1,
                 help="Seconds that a cell waits for a host when it hands a question on. Should "
                      "be less than budget, so that the user hears which host was silent."),
    cfg.IntOpt("breaker_failures", default=3, min=1,
               help="After so many calls in a row without an answer, a cell is not asked any "
                    "more for breaker_seconds: callers hear at once that it is down."),
    cfg.FloatOpt("breaker_seconds", default=10.0, min=0.0,
                 help="How long a silent cell is left alone before one call tries it again."),
    cfg.IntOpt("bulkhead", default=32, min=1,
               help="Calls that may be under way to one cell at a time; one more is told that the "
                    "cell is busy. Keeps a slow cell from taking every thread of the API."),
    cfg.IntOpt("threads", default=8, min=1,
               help="Messages that a conductor, and each host's agent, works on at a time."),
    cfg.IntOpt("collector_threads", default=4, min=1,
               help="Uploads of one cell that the collector works on at a time."),
    cfg.FloatOpt("cast_ttl", default=60.0, min=1.0,
                 help="Seconds that a message for which nobody waits may lie in a queue. What "
                      "still matters after that is sent again by whoever sent it; so a queue that "
                      "nobody reads does not grow for longer."),
    cfg.FloatOpt("publish_timeout", default=3.0, min=0.1,
                 help="Seconds that the broker gets to take a message, connecting and trying again "
                      "included; longer counts as failure."),
    cfg.FloatOpt("connect_timeout", default=2.0, min=0.1,
                 help="Seconds that one host of a transport URL gets to take a connection."),
    cfg.IntOpt("max_message_size", default=8 * 1024 * 1024, min=64 * 1024,
               help="Bytes of the largest message: a larger one is not sent, and one that "
                    "arrives is put aside unread. Must not exceed the broker's own limit."),
    cfg.IntOpt("poisoned_kept", default=100, min=0,
               help="What arrived and was no message is kept under state_path/poisoned: so many "
                    "files, the newest. 0 keeps none; they are counted in any case."),
    cfg.BoolOpt("local_fail_fast", default=True,
                help="On the in-process bus (local://): a call to somebody who does not listen "
                     "fails at once instead of waiting for its budget to end."),
    cfg.IntOpt("local_queue_size", default=100_000, min=1,
               help="On the in-process bus: messages kept for a listener; one more is refused."),
]

OPTS = {"rpc": RPC}

#: What we choose for oslo.messaging's [oslo_messaging_rabbit]; a configuration file wins. Why:
#: doc/howto/bus.rst.
RABBIT: dict[str, object] = {
    "rabbit_quorum_queue": True,
    "rabbit_transient_quorum_queue": False,
    "rabbit_quorum_delivery_limit": 10,
    "rabbit_transient_queues_ttl": 1800,
    "rabbit_qos_prefetch_count": 8,
    "use_queue_manager": False,
    "rabbit_stream_fanout": False,
    "heartbeat_timeout_threshold": 20,
    "heartbeat_rate": 3,
    "kombu_reconnect_delay": 0.5,
    "kombu_reconnect_splay": 0.5,
    "kombu_missing_consumer_retry_timeout": 5,
    "rabbit_retry_interval": 1,
    "rabbit_retry_backoff": 1,
    "rabbit_interval_max": 3,
    "rpc_conn_pool_size": 10,
    "conn_pool_min_size": 1,
    "conn_pool_ttl": 120,
}
