# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The Compute API for a WSGI server: ``nova_cells.cmd.wsgi:application``.

Configured by NOVA_CELLS_CONFIG_FILES, paths separated by ':'; default:
/etc/nova-cells/nova-cells.conf.  A configuration that cannot be used ends the server at its start
with one sentence.  Databases and buses are opened by the first request, in the process that serves
it, so that a server may fork whenever it likes; one that does not answer is a 503 and tried again
by the next request.
"""

import logging
import os
import threading
import time

import webob
import webob.exc

from nova_cells import clock as clocks
from nova_cells import metrics, service
from nova_cells.domain import errors

PROGRAM = "nova-cells-api"
FILES = "NOVA_CELLS_CONFIG_FILES"
LOG = logging.getLogger(__name__)


class Application:
    """The WSGI application, and the table of cells looked at every few seconds while there are
    requests."""

    def __init__(self, conf) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._inner = None
        self._fleet = None
        self._pid = 0
        self._looked = 0.0

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") == "/healthz":      # alive, whatever else is not
            return probes_alive(environ, start_response)
        if self._inner is None or self._pid != os.getpid():
            try:
                self._open()
            except errors.Problem as problem:
                LOG.error("%s", problem)
                return _unavailable()(environ, start_response)
            except Exception:
                LOG.exception("the API cannot begin")
                return _unavailable()(environ, start_response)
        elif time.monotonic() - self._looked > 2.0:
            self._look()
        return self._inner(environ, start_response)

    def _open(self) -> None:
        from nova_cells.cmd import fleet, webapp

        with self._lock:
            if self._inner is not None and self._pid == os.getpid():
                return
            if self._conf is None:
                raise errors.Invalid(f"there is no configuration: name it in {FILES}, or write "
                                     "/etc/nova-cells/nova-cells.conf")
            cells = fleet.Fleet(self._conf, fleet.open_view(self._conf))
            try:
                fleet.check_schema(self._conf)
                cells.look()
                self._inner = webapp.load(self._conf, cells.view, cells.client,
                                          clocks.SystemClock(), clocks.RandomIds())
            except BaseException:
                cells.close()
                cells.view.close()
                raise
            self._fleet, self._pid, self._looked = cells, os.getpid(), time.monotonic()
            # Of the workers with one port the first serves; they count together if
            # PROMETHEUS_MULTIPROC_DIR names a directory.
            metrics.serve(self._conf, "api", {"database": metrics.answers(cells.view.ping)})

    def _look(self) -> None:
        """One request looks; the others go on with what is known."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = time.monotonic()
            self._fleet.look()
        except Exception as error:
            LOG.warning("the table of cells could not be read: %s", error)
        finally:
            self._lock.release()


def probes_alive(environ, start_response):
    """Imported when it is asked: the backend must be chosen before."""
    from nova_cells.api import probes

    return probes.alive(environ, start_response)


def _unavailable() -> webob.Response:
    text = "The service is not ready just now; try again later."
    return webob.Response(status=503, headers={"Retry-After": "5"}, content_type="application/json",
                          charset="UTF-8", json_body={"computeFault": {"code": 503,
                                                                       "message": text}})


def make() -> Application:
    """The application as the environment configures it.  Without any configuration it is one that
    says so when it is asked, for this module may be read by who does not serve."""
    from nova_cells import conf as confs
    from nova_cells.cmd import daemon

    files = [path for path in os.environ.get(FILES, "").split(":") if path] or confs.found_files()
    if not files:
        return Application(None)
    try:
        service.choose_backend([f"--config-file={path}" for path in files], os.environ)
        return Application(daemon.configure(PROGRAM, files))
    except errors.Problem as problem:
        service.complain(PROGRAM, problem, 2)


application = make()
