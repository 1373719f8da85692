"""Options of the image room, and the service user with which hosts fetch images.

May assume nothing but oslo.config and keystoneauth1.  Never holds a password of its own:
the operator's file does.
"""

from keystoneauth1 import loading
from oslo_config import cfg

GLANCE = [
    cfg.StrOpt("source", default="glance", choices=["glance", "fake"],
               help="Where images come from: the image service, or a mock with one tiny image "
                    "(for development and simulation)."),
    cfg.StrOpt("endpoint_override",
               help="URL of the image service. Default: the one in the catalogue."),
    cfg.StrOpt("region_name", help="Region of the image service in the catalogue."),
    cfg.ListOpt("valid_interfaces", default=["internal", "public"],
                help="Interfaces of the image service in the catalogue, best first."),
    cfg.IntOpt("timeout", default=60, min=1,
               help="Seconds without a byte until the image service counts as unreachable."),
    cfg.IntOpt("num_retries", default=3, min=0,
               help="How often a request to the image service is repeated."),
    cfg.FloatOpt("facts_ttl", default=10.0, min=0.0,
                 help="Seconds for which what is known of an image is reused for the same "
                      "token; 0: never."),
]

#: The keystoneauth options of a service user that do not depend on the kind of plugin.
SERVICE_USER = loading.get_session_conf_options() + loading.get_auth_common_conf_options()

OPTS = {"glance": GLANCE, "service_user": SERVICE_USER}

#: For the sample file only: keystoneauth registers a plugin's own options when it is loaded,
#: and those of two kinds of plugin cannot be registered together.
SAMPLE = {"service_user": loading.get_auth_plugin_conf_options("password")}
