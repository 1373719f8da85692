# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A real PostgreSQL for tests, on loopback.

It refuses to be run by root, so root runs it as the user ``postgres`` that its package makes.
Commits are safe against the death of the server, not against that of the machine.
"""

import os
import pwd
import shutil
import signal
import subprocess

import sqlalchemy as sa

from tests.servers import process

PACKAGE = "postgresql"


class PostgreSQL(process.Server):
    """One server, with one user ``nova`` without a password.  ``Missing`` if not installed."""

    name = "postgresql"

    def __init__(self, *options: str) -> None:
        self._daemon = process.program("postgres", package=PACKAGE)
        self._install = process.program("initdb", package=PACKAGE)
        self._user = _user()
        super().__init__()
        self.port = process.free_port()
        self.data = self.directory / "data"
        self.options = list(options)
        if self._user is not None:
            shutil.chown(self.directory, self._user)

    def start(self) -> "PostgreSQL":
        """Make the data directory the first time; run; wait until it answers."""
        if not self.data.exists():
            self._make()
        (self.data / "postmaster.pid").unlink(missing_ok=True)      # of one that was killed
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "max_connections": 500,
                    "unix_socket_directories": self.directory, "fsync": "off",
                    "shared_buffers": "64MB", "lc_messages": "C"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.run([self._daemon, "-D", str(self.data), *words, *self.options], user=self._user)
        self.wait_until(self._ready)
        return self

    def stop(self) -> None:
        """Let it end at once, in order ("fast": sessions are ended, not waited for)."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        """SIGQUIT to the postmaster ("immediate": no checkpoint, recovery at the next start).
        SIGKILL would leave its children with the shared memory, and the next start waiting."""
        self.end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    def url(self, database: str) -> str:
        """The URL of this database, which is made if it is not there."""
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"):  # nosec
            self.execute(f'CREATE DATABASE "{database}" ENCODING \'UTF8\' TEMPLATE template0 '
                         f"LC_COLLATE 'C' LC_CTYPE 'C'")
        return f"postgresql+psycopg2://nova@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> list:
        """As the administrator, each on its own; the rows of the last."""
        engine = sa.create_engine(f"postgresql+psycopg2://nova@127.0.0.1:{self.port}/postgres",
                                  poolclass=sa.NullPool, isolation_level="AUTOCOMMIT",
                                  connect_args={"connect_timeout": 10})
        rows: list = []
        with engine.connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
                rows = list(result) if result.returns_rows else []
        return rows

    def _make(self) -> None:
        with self.log.open("ab") as log:
            subprocess.run([self._install, "-D", str(self.data), "-U", "nova", "--auth=trust",
                            "--encoding=UTF8", "--no-sync", "--locale=C"],
                           check=True, stdout=log, stderr=log, cwd="/", user=self._user)

    def _ready(self) -> bool:
        if not process.answers(self.port):
            return False
        try:
            self.execute("SELECT 1")
        except sa.exc.SQLAlchemyError:
            return False
        return True


def _user() -> str | None:
    """Who runs it: ourselves, but for root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise process.Missing(f"there is no user postgres: apt-get install {PACKAGE}") from None
