# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Fingerprints against keys whose prints ssh-keygen and openssl gave, and bad keys."""

import testtools
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from nova_cells.api.compute import keys
from nova_cells.domain import errors

# ssh-keygen -t ed25519; ssh-keygen -l -E md5
PUBLIC = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
          "MbM5TLQU389nVSQvwNb/vzn0cvKKPQ1JZSm5ExokVRI someone@somewhere")
PRINT = "b4:14:b4:90:79:53:61:01:2f:56:50:10:6b:a0:77:f5"


class Fingerprint(testtools.TestCase):
    def test_ssh(self):
        self.assertEqual(PRINT, keys.fingerprint("ssh", PUBLIC))

    def test_ssh_from_a_file(self):
        bare = " ".join(PUBLIC.split()[:2])
        self.assertEqual(PRINT, keys.fingerprint("ssh", f"{bare}\n"))

    def test_not_keys(self):
        certificate = keys.generate("x509", "u", 0.0).public
        for kind, text in (("ssh", ""), ("ssh", " "), ("ssh", "ssh-rsa"),
                           ("ssh", "ssh-rsa JUNK nova@ubuntu"), ("ssh", "x" * 16384),
                           ("ssh", "ssh-rsa " + "A" * 2048 + " openstack@ubuntu"),
                           ("ssh", "ssh-nothing AAAA"), ("ssh", "ssh-rsa \u2603"),
                           ("ssh", certificate), ("x509", PUBLIC), ("x509", "")):
            self.assertRaises(errors.Invalid, keys.fingerprint, kind, text)


class Generate(testtools.TestCase):
    def test_ssh(self):
        made = keys.generate("ssh", "u", 0.0)
        key = serialization.load_ssh_private_key(made.private.encode(), None)
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH,
                                               serialization.PublicFormat.OpenSSH)
        self.assertEqual(public.decode(), made.public)
        self.assertEqual(made.fingerprint, keys.fingerprint("ssh", made.public))
        self.assertRegex(made.fingerprint, "^([0-9a-f]{2}:){15}[0-9a-f]{2}$")

    def test_x509(self):
        made = keys.generate("x509", "a" * 200, 1700000000.0)
        certificate = x509.load_pem_x509_certificate(made.public.encode())
        key = serialization.load_pem_private_key(made.private.encode(), None)
        self.assertEqual(certificate.public_key(), key.public_key())
        self.assertEqual(made.fingerprint, keys.fingerprint("x509", made.public))
        self.assertRegex(made.fingerprint, "^([0-9a-f]{2}:){19}[0-9a-f]{2}$")
        self.assertEqual(2023, certificate.not_valid_before_utc.year)

    def test_never_the_same(self):
        self.assertNotEqual(keys.generate("ssh", "u", 0.0), keys.generate("ssh", "u", 0.0))
