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
    cfg.BoolOpt("local_fail_fast", default=True,
                help="On the in-process bus (local://): a call to somebody who does not listen "
                     "fails at once instead of waiting for its budget to end."),
    cfg.IntOpt("local_queue_size", default=100_000, min=1,
               help="On the in-process bus: messages kept for a listener; one more is refused."),
]

OPTS = {"rpc": RPC}
