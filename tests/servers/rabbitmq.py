# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A RabbitMQ of a test: one Erlang node, with its own epmd, cookie and ports, on loopback only.

Neither systemd nor the user "rabbitmq" is needed.  Every vhost has a user of its own, so that a
URL opens one cell's bus and no other.  ``shared()`` is one for the whole process of a test run.
"""

import atexit
import os
import pathlib
import secrets
import shutil
import signal
import subprocess

from tests.servers import process

PACKAGE = "rabbitmq-server"


def _scripts() -> pathlib.Path:
    """Where the real scripts lie: Debian's wrappers insist on the user "rabbitmq"."""
    for place in sorted(pathlib.Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin")):
        if (place / "rabbitmq-server").exists():
            return place
    raise process.Missing(f"rabbitmq-server is not installed: apt-get install {PACKAGE}")


def _epmd() -> str:
    for place in sorted(pathlib.Path("/usr/lib/erlang").glob("erts-*/bin/epmd")):
        return str(place)
    return process.program("epmd", package=PACKAGE)


class RabbitMQ(process.Server):
    """Made, started, stopped; ``remove`` takes everything away.  ``port`` never changes."""

    name = "rabbitmq"

    def __init__(self) -> None:
        self._sbin = _scripts()
        self._epmd_program = _epmd()
        super().__init__()
        self.port = process.free_port()
        self.tls_port: int | None = None
        self._epmd_port = process.free_port()
        self._dist_port = process.free_port()
        self._node = f"test{self.port}@localhost"
        self._cookie = secrets.token_hex(16)
        self._passwords: dict[str, str] = {}
        self._epmd: subprocess.Popen | None = None
        self._tls: dict[str, str] = {}

    # -- its life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Up, with every vhost that was asked for before."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        (self.directory / "rabbitmq.conf").write_text(self._configuration())
        (self.directory / "enabled_plugins").write_text("[].\n")
        self._start_epmd()
        self.run([str(self._sbin / "rabbitmq-server")], env=self._environment())
        self.wait_until(lambda: process.answers(self.port), 120.0)
        self._control("await_startup")
        if self._passwords:
            self._define(*self._passwords)

    def stop(self) -> None:
        """An orderly end; what is durable stays."""
        self.end(signal.SIGTERM, 60.0)

    def kill(self) -> None:
        """kill -9."""
        self.end(signal.SIGKILL)

    def restart(self) -> None:
        """Stopped in an orderly way, and started again."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """The disk is lost: killed, emptied, started.  Vhosts and users are made again, as an
        operator would; queues, exchanges and messages are gone."""
        self.kill()
        shutil.rmtree(self.directory / "mnesia", ignore_errors=True)
        self.start()

    def remove(self) -> None:
        self.end(signal.SIGKILL)             # nothing in it is worth an orderly end
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            epmd.kill()
            epmd.wait()
        super().remove()

    # -- what is in it ----------------------------------------------------------------------------

    def url(self, vhost: str) -> str:
        """The transport URL of a vhost, which is made with a user of its own if need be."""
        if vhost not in self._passwords:
            self._passwords[vhost] = secrets.token_hex(12)
            self._define(vhost)
        return f"rabbit://{vhost}:{self._passwords[vhost]}@127.0.0.1:{self.port}/{vhost}"

    def tls_url(self, vhost: str) -> str:
        """The same over TLS; what the client shall check is for the caller to add."""
        return self.url(vhost).replace(f":{self.port}/", f":{self.tls_port}/")

    def change_password(self, vhost: str) -> str:
        """Another password for the user of a vhost; the new URL.  Who is connected stays so."""
        self._passwords[vhost] = secrets.token_hex(12)
        self._define(vhost)
        return self.url(vhost)

    def close_connections(self) -> None:
        """Every client is thrown out, as after a short break of the network."""
        self.evaluate('[rabbit_networking:close_connection(P, "test") || '
                      "P <- rabbit_networking:connections()]")

    def drop_queues(self) -> None:
        """Every queue is deleted under the feet of those who use it."""
        self.evaluate("[rabbit_amqqueue:delete(Q, false, false, <<\"test\">>) || "
                      "Q <- rabbit_amqqueue:list()]")

    def queues(self, vhost: str) -> dict[str, int]:
        """Messages waiting or given out, per queue."""
        lines = self._control("list_queues", "-p", vhost, "name", "messages").splitlines()
        return {name: int(count) for name, _, count in (line.partition("\t") for line in lines)
                if count.isdigit()}

    def use_tls(self, ca: str, certificate: str, key: str) -> None:
        """From the next start on, also listen on ``tls_port``, with this certificate."""
        self.tls_port = self.tls_port or process.free_port()
        self._tls = {"cacertfile": ca, "certfile": certificate, "keyfile": key}

    def evaluate(self, expression: str) -> str:
        """An Erlang expression, in the node."""
        return self._control("eval", expression + ".")

    def _define(self, *vhosts: str) -> None:
        """Vhosts and their users as they shall be: one program start, however many."""
        words = []
        for vhost in vhosts:
            name, password = f'<<"{vhost}">>', f'<<"{self._passwords[vhost]}">>'
            words += [
                f"(rabbit_vhost:exists({name}) orelse rabbit_vhost:add({name}, {name}))",
                f"rabbit_auth_backend_internal:put_user("
                f"#{{name => {name}, password => {password}, tags => <<>>}}, {name})",
                f'rabbit_auth_backend_internal:set_permissions({name}, {name}, <<".*">>, '
                f'<<".*">>, <<".*">>, {name})']
        self.evaluate(", ".join([*words, "ok"]))

    # -- how it is run ----------------------------------------------------------------------------

    def _configuration(self) -> str:
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}", "loopback_users = none",
                 "log.file = false", "log.console = true", "log.console.level = warning",
                 "vm_memory_high_watermark.absolute = 1GB", "disk_free_limit.absolute = 50MB"]
        if self._tls:
            lines += [f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
                      *(f"ssl_options.{name} = {path}" for name, path in self._tls.items()),
                      "ssl_options.verify = verify_none", "ssl_options.versions.1 = tlsv1.2"]
        return "\n".join(lines) + "\n"

    def _environment(self) -> dict[str, str]:
        """Of the node and of its control program.  ALLOW_INPUT: the shell is replaced by the
        node, so that the process that was started is the one to end."""
        cookie = f"-setcookie {self._cookie}"
        return {
            "HOME": str(self.directory / "home"), "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            "RABBITMQ_ALLOW_INPUT": "1", "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                f"{cookie} +S 2:2 +A 16 -kernel inet_dist_use_interface {{127,0,0,1}}",
            "RABBITMQ_CTL_ERL_ARGS": cookie, "LANG": "C.UTF-8",
        }

    def _start_epmd(self) -> None:
        """Our own, and not as a daemon: it would outlive the node."""
        if self._epmd is not None and self._epmd.poll() is None:
            return
        with self.log.open("ab") as log:
            self._epmd = subprocess.Popen(
                [self._epmd_program, "-port", str(self._epmd_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                preexec_fn=process.die_with_parent)

    def _control(self, *words: str) -> str:
        """rabbitmqctl.  RuntimeError with what it said when it fails."""
        done = subprocess.run(
            [str(self._sbin / "rabbitmqctl"), "-q", *words], capture_output=True, text=True,
            env={**os.environ, **self._environment()}, timeout=180, cwd=self.directory)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {words[0]}: {done.stderr or done.stdout}"[:2000])
        return done.stdout


_shared: RabbitMQ | None = None


def shared() -> RabbitMQ:
    """One for all tests of this process, started when it is first asked for; use a vhost of your
    own.  ``Missing`` where it is not installed."""
    global _shared
    if _shared is None:
        server = RabbitMQ()
        atexit.register(server.remove)
        server.start()
        _shared = server
    elif _shared.pid is None:
        _shared.start()
    return _shared
