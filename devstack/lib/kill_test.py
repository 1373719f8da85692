#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The tenant's side of kill-test.sh.  The cloud is taken from the OS_* environment.

    kill_test.py boot NAME COUNT [ID...]   asks for the deletion of those that are named and, in one
                                           request, for new servers; prints the word "asked"
    kill_test.py named PREFIX              the ids of the servers that are so named
    kill_test.py delete ID...              asks for deletion, does not wait
    kill_test.py wait SECONDS [active|gone] ID...
    kill_test.py clear PREFIX SECONDS      deletes the servers that are so named, and waits
    kill_test.py list                      every server of every project: ID HOST STATUS

Environment: GUEST_IMAGE_NAME, GUEST_FLAVOR
"""

import os
import sys
import time

import openstack


class Tenant:
    """The few calls that are needed, without the client's second of start."""

    def __init__(self):
        cloud = openstack.connect()
        self.compute, self.image = cloud.compute, cloud.image

    def get(self, path):
        """The body, or None if there is nothing."""
        answer = self.compute.get(path, microversion='2.37')
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def boot(self, name, count, *doomed):
        image = self.image.find_image(os.environ['GUEST_IMAGE_NAME'], ignore_missing=False).id
        flavor = self.compute.find_flavor(os.environ['GUEST_FLAVOR'], ignore_missing=False).id
        self.delete(*doomed)
        answer = self.compute.post('/servers', microversion='2.37', json={'server': {
            'name': name, 'imageRef': image, 'flavorRef': flavor, 'networks': 'none',
            'config_drive': True, 'min_count': int(count)}})
        answer.raise_for_status()
        print('asked', flush=True)

    def ids(self, prefix):
        servers = self.get(f'/servers?name=^{prefix}')['servers']
        return [server['id'] for server in servers]

    def named(self, prefix):
        print(*self.ids(prefix), sep='\n')

    def delete(self, *ids):
        for uuid in ids:
            self.compute.delete(f'/servers/{uuid}').raise_for_status()

    def clear(self, prefix, seconds):
        ids = self.ids(prefix)
        self.delete(*ids)
        self.wait(seconds, 'gone', *ids)

    def wait(self, seconds, what, *ids):
        """Until all are ACTIVE with nothing under way, or gone."""
        until = time.monotonic() + float(seconds)
        waiting = list(ids)
        while waiting:
            found = [(uuid, self.get(f'/servers/{uuid}')) for uuid in waiting]
            waiting = [uuid for uuid, body in found if not self.arrived(body, what)]
            if waiting and time.monotonic() > until:
                for uuid, body in found:
                    print(f'server {uuid} is not {what} after {seconds} s: {describe(body)}',
                          file=sys.stderr)
                sys.exit(1)
            time.sleep(0.3 if waiting else 0)

    @staticmethod
    def arrived(body, what):
        if what == 'gone' or body is None:
            return what == 'gone' and body is None
        server = body['server']
        return server['status'] == 'ACTIVE' and server['OS-EXT-STS:task_state'] is None

    def list(self):
        for server in self.get('/servers/detail?all_tenants=1')['servers']:
            print(server['id'], server['OS-EXT-SRV-ATTR:host'] or '-', server['status'])


def describe(body):
    if body is None:
        return 'it is gone'
    server = body['server']
    fault = server.get('fault', {}).get('message', '')
    return f"{server['status']}, task {server['OS-EXT-STS:task_state']}, {fault}"


if __name__ == '__main__':
    getattr(Tenant(), sys.argv[1])(*sys.argv[2:])
