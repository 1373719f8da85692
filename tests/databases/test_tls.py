# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""TLS to MariaDB as doc/howto/databases.rst says it, with a CA made for the test."""

import shutil
import subprocess

import testtools
from oslo_db import exception as db_exc

from nova_cells.db import engine
from tests.servers import mariadb, process

KEY = ("-newkey", "rsa:2048", "-nodes")


class Tls(testtools.TestCase):
    def setUp(self):
        super().setUp()
        try:
            self.server = mariadb.MariaDB()
        except process.Missing as missing:
            self.skipTest(str(missing))
        self.addCleanup(self.server.remove)
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed: apt-get install openssl")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, cwd=self.server.directory,
                       capture_output=True)

    def test_the_right_ca_and_a_wrong_one(self):
        folder = self.server.directory
        for name in ("ca", "other"):
            self.openssl("req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                         "-days", "2", "-subj", f"/CN={name}")
        self.openssl("req", *KEY, "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=localhost")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        self.openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-out", "s.pem", "-days", "2", "-extfile", "names")
        self.server.options += [f"--ssl-ca={folder}/ca.pem", f"--ssl-cert={folder}/s.pem",
                                f"--ssl-key={folder}/s.key"]
        url = self.server.start().url("tls")
        for name in ("ca", "other"):
            database = engine.Database(f"{url}&ssl_ca={folder}/{name}.pem&ssl_check_hostname=true")
            self.addCleanup(database.close)
            if name == "other":
                self.assertRaises(db_exc.DBConnectionError, self.cipher, database)
            else:
                self.assertNotEqual("", self.cipher(database))

    def cipher(self, database):
        with database.read() as tx:
            return tx.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
