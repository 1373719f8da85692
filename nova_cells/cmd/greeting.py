# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the stand-alone process says when it is up: what runs, where, and what to type next."""


def text(conf, running) -> str:
    """A few lines for a person."""
    host = conf.standalone.bind_host
    url = f"http://{f'[{host}]' if ':' in host else host}:{running.port}/v2.1"
    lines = [f"nova-cells is up after {running.took:.1f} s: {url}"]
    for plan, runs in running.cells:
        count = len(plan.hosts)
        hosts = ", ".join(plan.hosts[:4]) + (f", ... ({count})" if count > 4 else "")
        lines.append(f"  {plan.name}: {hosts} ({conf.compute_driver})" if runs
                     else f"  {plan.name}: left down")
    lines += [f"State is in {conf.state_path}" + (f", the log in {conf.log_file}."
                                                  if conf.log_file else "."), ""]
    if conf.api.auth_strategy == "noauth2" and conf.glance.source == "fake":
        root = url.removesuffix("/v2.1")
        lines += ["Anybody on this machine may do everything; any password will do. Type in "
                  "another terminal:", "",
                  f"    export OS_AUTH_URL={root}/identity/v3 OS_USERNAME=admin OS_PASSWORD=any \\",
                  "           OS_PROJECT_NAME=demo OS_COMPUTE_API_VERSION=2.90",
                  "    openstack flavor create --vcpus 1 --ram 64 --disk 1 tiny",
                  "    openstack server create --image cirros-fake --flavor tiny --nic none one",
                  "    openstack server list", ""]
    lines += [f"    nova-cells-manage --state-path {conf.state_path} cell list", "",
              "Ctrl-C stops; guests keep running, and the next start goes on from here.", ""]
    return "\n".join(lines)
