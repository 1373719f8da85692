# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of notifications.  Where they go is said in [oslo_messaging_notifications]."""

from oslo_config import cfg

NOTIFICATIONS = [
    cfg.ListOpt("versioned_notifications_topics", default=["versioned_notifications"],
                help="Topics that every notification is sent to. Notifications are sent when "
                     "[oslo_messaging_notifications] driver is messagingv2 and transport_url there "
                     "names a bus; otherwise none is even written down."),
]

OPTS = {"notifications": NOTIFICATIONS}
