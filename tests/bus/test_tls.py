# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""TLS to the broker, with authorities that differ from cell to cell."""

import datetime
import ipaddress
import pathlib

import fixtures
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nova_cells.domain import address, errors
from nova_cells.rpc import transport as transports
from tests.bus import base
from tests.servers import process, rabbitmq


def authority(folder: pathlib.Path, name: str) -> tuple[str, str, str]:
    """An authority of its own, and a certificate of it for loopback: CA, certificate, key."""
    now = datetime.datetime.now(datetime.UTC)

    def make(subject, issuer, key, signer, extension):
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, word)])
                 for word in (subject, issuer)]
        return (x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1])
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=9))
                .add_extension(extension, critical=True).sign(signer, hashes.SHA256()))

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in "ab")
    made = {
        "ca": make(name, name, root, root, x509.BasicConstraints(ca=True, path_length=None)),
        "cert": make("localhost", name, leaf, root, x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]))}
    paths = {word: folder / f"{name}-{word}.pem" for word in ("ca", "cert", "key")}
    for word, certificate in made.items():
        paths[word].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths["key"].write_bytes(leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return str(paths["ca"]), str(paths["cert"]), str(paths["key"])


class Tls(base.BusTest):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        folder.chmod(0o755)
        self.authorities = [authority(folder, name) for name in ("blue", "red")]
        self.urls = []
        for ca, certificate, key in self.authorities:
            try:
                server = rabbitmq.RabbitMQ()
            except process.Missing as missing:
                self.skipTest(str(missing))
            self.addCleanup(server.remove)
            server.use_tls(ca, certificate, key)
            server.start()
            self.urls.append(server.tls_url("cell"))

    def test_each_cell_its_authority(self):
        rows = [(f"c{n}", f"{url}?ssl=1&ssl_ca_file={self.authorities[n][0]}")
                for n, url in enumerate(self.urls)]
        self.router.update(rows)
        for cell, _url in rows:
            self.listen(cell)
            self.assertEqual(f"{cell}/conductor/one", self.client.call(
                address.Cell(cell), base.numbered(1), 30).text)
        self.router.update([("c0", f"{self.urls[0]}?ssl=1&ssl_ca_file={self.authorities[1][0]}"),
                            ("c1", self.urls[1])])
        for cell in ("c0", "c1"):            # the wrong authority, and no TLS at all
            self.assertRaises(errors.CellDown, self.client.call, address.Cell(cell),
                              base.numbered(1), 30)


class Options(base.BusTest):
    def test_a_url_with_an_option_that_does_not_exist(self):
        error = self.assertRaises(errors.Invalid, transports.open_transport, self.conf,
                                  "rabbit://u:secret@h/v?ssl_cafile=/x")
        self.assertIn("ssl_cafile", str(error))
        self.assertNotIn("secret", str(error))
