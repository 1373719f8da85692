# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the REST API.  Names are the field's where the meaning is the same."""

from oslo_config import cfg

API = [
    cfg.StrOpt("auth_strategy", default="keystone", choices=[
        ("keystone", "Tokens are checked by the Identity service."),
        ("noauth2", "For development: the token says \"user:project\" and is believed. The API "
                    "refuses to start with it unless it listens on loopback only."),
    ], help="How the API finds out who asks."),
    cfg.IntOpt("max_limit", default=1000, min=1,
               help="The most things that one page of a list may hold."),
    cfg.URIOpt("compute_link_prefix", schemes=["http", "https"],
               help="What links in replies begin with, instead of the address that the client "
                    "asked; for an API behind a proxy that rewrites paths."),
    cfg.BoolOpt("enable_instance_password", default=True,
                help="Whether the reply to a create carries an adminPass."),
    cfg.FloatOpt("changes_since_window", default=5.0, min=0.0,
                 help="Seconds: how long before it became readable a change may have been "
                      "written. changes-since looks that much further back, so that a client "
                      "which polls with the time of its last reply misses nothing."),
    cfg.IntOpt("idempotency_hours", default=24, min=1,
               help="Hours for which the reply to a POST of servers with an Idempotency-Key is "
                    "kept, to be given again."),
    cfg.BoolOpt("etags", default=True,
                help="Answer 304 to a GET of servers whose If-None-Match names what the reply "
                     "would be."),
    cfg.IntOpt("token_cache_time", default=10, min=0,
               help="Seconds for which a process remembers by itself what keystonemiddleware "
                    "said about a token, so that most requests need neither memcached nor the "
                    "Identity service; at most half of [keystone_authtoken] token_cache_time, "
                    "which bounds both memories together. 0: ask keystonemiddleware each time."),
    cfg.IntOpt("token_cache_entries", default=1000, min=1,
               help="How many tokens a process remembers at most; then those that were not used "
                    "for the longest time are forgotten."),
]

WSGI = [
    cfg.StrOpt("api_paste_config", default="api-paste.ini",
               help="The file that lists the layers of the WSGI application."),
]

CONSOLEAUTH = [
    cfg.IntOpt("token_ttl", default=600, min=0,
               help="Seconds for which the address of a console, once it was given, can be "
                    "opened."),
]

OPTS: dict[str, list[cfg.Opt]] = {"api": API, "wsgi": WSGI, "consoleauth": CONSOLEAUTH}
