#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the Compute API says of its services, with nothing but Python's own library.

    heard.py list                   lines "BINARY HOST STATE STATUS"
    heard.py wait SECONDS HOST...   until nova-compute of each of these is up; 1 if it does not come

The cloud is taken from the OS_* environment.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

env = os.environ
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, headers, body=None):
    request = urllib.request.Request(url, headers=headers,
                                     data=json.dumps(body).encode() if body else None)
    with OPENER.open(request, timeout=20) as answer:
        return json.load(answer), answer.headers


def login():
    """The token, and where the Compute API is."""
    domain = {'name': env['OS_USER_DOMAIN_NAME']}
    user = {'name': env['OS_USERNAME'], 'password': env['OS_PASSWORD'], 'domain': domain}
    project = {'name': env['OS_PROJECT_NAME'], 'domain': {'name': env['OS_PROJECT_DOMAIN_NAME']}}
    body, headers = ask(f"{env['OS_AUTH_URL']}/auth/tokens", {'Content-Type': 'application/json'}, {
        'auth': {'identity': {'methods': ['password'], 'password': {'user': user}},
                 'scope': {'project': project}}})
    found = [endpoint['url'] for service in body['token']['catalog'] if service['type'] == 'compute'
             for endpoint in service['endpoints'] if endpoint['interface'] == 'public']
    return headers['X-Subject-Token'], found[0]


def services():
    token, url = login()
    body, _headers = ask(f'{url}/os-services', {'X-Auth-Token': token,
                                                'OpenStack-API-Version': 'compute 2.11'})
    return body['services']


def wait(seconds, hosts):
    until = time.monotonic() + seconds
    while True:
        try:
            missing, trouble = set(hosts) - {found['host'] for found in services() if
                                             found['binary'] == 'nova-compute'
                                             and found['state'] == 'up'}, ''
        except (OSError, LookupError) as error:
            missing, trouble = set(hosts), f' ({error})'
        if not missing:
            return 0
        if time.monotonic() > until:
            print(f"after {seconds:g} s not up: {', '.join(sorted(missing))}{trouble}",
                  file=sys.stderr)
            return 1
        time.sleep(0.5)


def main(verb, *words):
    if verb == 'wait':
        return wait(float(words[0]), words[1:])
    for found in services():
        print(found['binary'], found['host'], found['state'], found['status'])
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
