#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Writes RabbitMQ's definitions: each user may do everything in its own vhosts, and nothing else.

Standard input: lines "USER:VHOST:PASSWORD".  The broker gets salted hashes, no passwords.  The salt
is made from user and password, so that the same input gives the same file.
"""

import base64
import hashlib
import json
import sys

ALL = {'configure': '.*', 'write': '.*', 'read': '.*'}


def hashed(user, password):
    salt = hashlib.sha256(f'{user}:{password}'.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def main():
    users, vhosts, permissions = {}, {}, []
    for line in sys.stdin:
        user, vhost, password = line.strip().split(':', 2)
        users[user] = {'name': user, 'password_hash': hashed(user, password), 'tags': '',
                       'hashing_algorithm': 'rabbit_password_hashing_sha256'}
        vhosts[vhost] = {'name': vhost}
        permissions.append({'user': user, 'vhost': vhost, **ALL})
    print(json.dumps({'users': list(users.values()), 'vhosts': list(vhosts.values()),
                      'permissions': permissions}, indent=1))


if __name__ == '__main__':
    main()
