#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Ends with 0 if all is there that stack.sh offers: one process where the client takes five.

    offered.py IMAGE GUEST_KEY KEYPAIR FLAVOR...

The cloud is taken from the OS_* environment.
"""

import sys

import openstack


def main(image, guest_key, keypair, *flavors):
    cloud = openstack.connect()
    images = [found for found in cloud.image.images(name=image)
              if found.properties.get('guest_key') == guest_key]
    missing = set(flavors) - {flavor.name for flavor in cloud.compute.flavors(details=False)}
    keypairs = [found for found in cloud.compute.keypairs() if found.name == keypair]
    return 0 if images and keypairs and not missing else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
