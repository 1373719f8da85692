# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A real MariaDB for tests, on loopback.

Commits are safe against the death of the server, not against that of the machine; nothing else
is made easier than in a deployment.
"""

import os
import pathlib
import signal
import subprocess

import sqlalchemy as sa

from tests.servers import process

PACKAGE = "mariadb-server"

#: Asynchronous I/O of the kernel is little in a container, and many servers start side by side.
NO_AIO = "--innodb-use-native-aio=0"


class MariaDB(process.Server):
    """One server, with one user ``root`` without a password.  ``Missing`` if not installed."""

    name = "mariadb"

    def __init__(self, *options: str) -> None:
        self._daemon = process.program("mariadbd", "mysqld", package=PACKAGE)
        self._install = process.program("mariadb-install-db", "mysql_install_db",
                                        package=PACKAGE)
        super().__init__()
        self.port = process.free_port()
        self.data = self.directory / "data"
        self.options = list(options)

    def start(self) -> "MariaDB":
        """Make the data directory the first time; run; wait until it answers."""
        if not self.data.exists():
            self._make()
        self.run([self._daemon, "--no-defaults", *_as_root(), f"--datadir={self.data}",
                  f"--socket={self.directory / 'socket'}", f"--port={self.port}",
                  "--bind-address=127.0.0.1", f"--pid-file={self.directory / 'pid'}",
                  "--skip-name-resolve", "--max-connections=500", "--skip-log-bin",
                  "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2", NO_AIO,
                  "--max-allowed-packet=64M", *self.options])
        self.wait_until(self._ready)
        return self

    def stop(self) -> None:
        """Let it end as it likes."""
        self.end()

    def kill(self) -> None:
        """SIGKILL: what was committed must be there after ``start``."""
        self.end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    def url(self, database: str) -> str:
        """The URL of this database, which is made if it is not there."""
        self.execute(f"CREATE DATABASE IF NOT EXISTS `{database}` "
                     f"CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    def execute(self, *statements: str) -> list:
        """As the administrator, each on its own; the rows of the last."""
        engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{self.port}/",
                                  poolclass=sa.NullPool, isolation_level="AUTOCOMMIT",
                                  connect_args={"connect_timeout": 10})
        rows: list = []
        with engine.connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
                rows = list(result) if result.returns_rows else []
        return rows

    def _make(self) -> None:
        done = subprocess.run([self._install, "--no-defaults", *_as_root(), NO_AIO,
                               "--auth-root-authentication-method=normal", "--skip-test-db",
                               f"--datadir={self.data}"], check=False, capture_output=True,
                              text=True, cwd=pathlib.Path("/"))
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db ended with {done.returncode}:\n"
                               f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def _ready(self) -> bool:
        if not process.answers(self.port):
            return False
        try:
            self.execute("SELECT 1")
        except sa.exc.SQLAlchemyError:
            return False
        return True


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
