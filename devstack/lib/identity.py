#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Makes projects, users, roles, services and endpoints in Keystone; again changes nothing.

Reads one order per line from standard input, words quoted as in a shell:

    project NAME | role NAME | user NAME PASSWORD | grant ROLE USER PROJECT
    service NAME TYPE DESCRIPTION | endpoint TYPE REGION URL

The cloud is taken from the OS_* environment.  Everything lives in the domain "Default".
"""

import shlex
import sys

import openstack

DOMAIN = 'default'


class Identity:
    """Looks before it makes; every method may be repeated."""

    def __init__(self, identity):
        self.identity = identity

    def project(self, name):
        self.identity.find_project(name, domain_id=DOMAIN) or self.identity.create_project(
            name=name, domain_id=DOMAIN)

    def role(self, name):
        self.identity.find_role(name) or self.identity.create_role(name=name)

    def user(self, name, password):
        user = self.identity.find_user(name, domain_id=DOMAIN)
        if user is None:
            self.identity.create_user(name=name, password=password, domain_id=DOMAIN)
        else:
            self.identity.update_user(user, password=password)

    def grant(self, role, user, project):
        self.identity.assign_project_role_to_user(
            self.identity.find_project(project, domain_id=DOMAIN, ignore_missing=False),
            self.identity.find_user(user, domain_id=DOMAIN, ignore_missing=False),
            self.identity.find_role(role, ignore_missing=False))

    def service(self, name, kind, description):
        if not list(self.identity.services(type=kind)):
            self.identity.create_service(name=name, type=kind, description=description)

    def endpoint(self, kind, region, url):
        service = next(iter(self.identity.services(type=kind)))
        found = self.identity.endpoints(service_id=service.id, region_id=region)
        there = {e.interface: e for e in found}
        for interface in ('public', 'internal'):
            endpoint = there.get(interface)
            if endpoint is None:
                self.identity.create_endpoint(
                    service_id=service.id, interface=interface, url=url, region_id=region)
            elif endpoint.url != url:
                self.identity.update_endpoint(endpoint, url=url)


def main():
    orders = Identity(openstack.connect().identity)
    for line in sys.stdin:
        words = shlex.split(line)
        if words:
            print(*(['user', words[1]] if words[0] == 'user' else words), flush=True)
            getattr(orders, words[0])(*words[1:])


if __name__ == '__main__':
    main()
