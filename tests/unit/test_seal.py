# Licensed under the Apache License, Version 2.0; see the file LICENSE.

import os
import tempfile

import testtools

from nova_cells import seal
from nova_cells.domain import boot, consoles, errors


class Seals(testtools.TestCase):

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "secrets.key")

    def test_there_and_back(self):
        secrets = boot.Secrets(admin_password="canary", user_data="Y2FuYXJ5",
                               files=(("/etc/motd", "aGk="),))
        sealed = seal.Seal.at(self.path).close_secrets(secrets)
        self.assertNotIn("canary", repr(sealed))
        self.assertEqual(secrets, seal.Seal.at(self.path).open_secrets(sealed))

    def test_nothing_stays_nothing(self):
        made = seal.Seal.fresh()
        self.assertEqual(boot.Sealed(), made.close_secrets(boot.Secrets()))
        self.assertEqual(boot.Secrets(), made.open_secrets(boot.Sealed()))

    def test_user_data_is_kept_apart(self):
        made = seal.Seal.fresh()
        sealed = made.close_secrets(boot.Secrets(admin_password="canary", user_data=""))
        self.assertEqual(boot.Secrets(user_data=""),
                         made.open_secrets(boot.Sealed(user_data=sealed.user_data)))

    def test_another_key_opens_nothing(self):
        sealed = seal.Seal.fresh().close_secrets(boot.Secrets(admin_password="canary"))
        self.assertRaises(errors.Bug, seal.Seal.fresh().open_secrets, sealed)

    def test_only_the_owner_reads_the_key(self):
        seal.Seal.at(self.path)
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o777)

    def test_a_file_that_is_no_key_is_told(self):
        with open(self.path, "w") as file:
            file.write("nonsense")
        told = self.assertRaises(errors.Invalid, seal.Seal.at, self.path)
        self.assertIn(self.path, str(told))

    def test_tokens(self):
        claims = consoles.Claims(server="s", epoch=1, node="n", expires=10.0,
                                 where=consoles.Where(kind="serial", host="h", port=1))
        token = seal.Seal.at(self.path).close_token(claims)
        other = seal.Seal.at(self.path)
        self.assertEqual(claims, other.open_token(token, 9.0))
        self.assertIsNone(other.open_token(token, 10.0))
        self.assertIsNone(seal.Seal.fresh().open_token(token, 9.0))
        for text in ("", "x", token[:-2], other.close(b"canary").decode(), "\u00e4"):
            self.assertIsNone(other.open_token(text, 9.0))
