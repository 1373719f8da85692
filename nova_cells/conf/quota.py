"""Options of the group [quota]: how much a project or a user may have when nobody said.

Holds declarations only; reading them is the business of cmd, which hands the values on.
Names and defaults are the field's.
"""

from oslo_config import cfg


def _limit(name: str, default: int, text: str) -> cfg.IntOpt:
    return cfg.IntOpt(name, default=default, min=-1, help=f"{text} -1 means unlimited.")


OPTS: dict[str, list[cfg.Opt]] = {
    "quota": [
        _limit("instances", 10, "Servers per project."),
        _limit("cores", 20, "Virtual CPUs of all servers of a project."),
        _limit("ram", 50 * 1024, "Memory of all servers of a project, in MiB."),
        _limit("metadata_items", 128, "Metadata items per server."),
        _limit("injected_files", 5, "Files that may be injected into a server (up to 2.56)."),
        _limit("injected_file_content_bytes", 10 * 1024, "Bytes of each injected file."),
        _limit("injected_file_path_length", 255, "Bytes of the path of an injected file."),
        _limit("key_pairs", 100, "Key pairs per user."),
        _limit("server_groups", 10, "Server groups per project."),
        _limit("server_group_members", 10, "Servers per server group."),
    ],
}
