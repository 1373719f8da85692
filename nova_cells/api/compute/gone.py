# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the API had once and has no more: 410, whatever is asked.  Source: the public api-ref."""

from nova_cells.api.catalogue import Action

_ROWS = """
/os-agents GET POST
/os-agents/{id} PUT DELETE
/os-cells GET POST
/os-cells/capacities GET
/os-cells/detail GET
/os-cells/info GET
/os-cells/sync_instances POST
/os-cells/{id} GET PUT DELETE
/os-cells/{id}/capacities GET
/os-certificates POST
/os-certificates/{id} GET
/os-cloudpipe GET POST
/os-cloudpipe/{id} PUT
/os-fixed-ips/{id} GET
/os-fixed-ips/{id}/action POST
/os-floating-ip-dns GET
/os-floating-ip-dns/{id} PUT DELETE
/os-floating-ip-dns/{domain_id}/entries/{id} GET PUT DELETE
/os-floating-ips-bulk GET POST
/os-floating-ips-bulk/{id} GET PUT
/os-fping GET
/os-fping/{id} GET
/os-networks/add POST
/os-networks/{id}/action POST
/os-security-group-default-rules GET POST
/os-security-group-default-rules/{id} GET DELETE
/servers/{server_id}/consoles GET POST
/servers/{server_id}/consoles/{id} GET DELETE
/servers/{server_id}/os-virtual-interfaces GET
"""

ACTIONS = tuple(Action(f"gone:{method}:{path}", method, path, "serve", gone=True)
                for path, *methods in (row.split() for row in _ROWS.split("\n") if row)
                for method in methods)
