# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Extensions: a list that old clients ask for, fixed for good when versions replaced them.

What each of them once added is part of the API; nothing is ever added here.  Source: the public
api-ref, "Extensions" (deprecated), and what a Compute API answers.
"""

import re
import typing

from nova_cells.api import policy
from nova_cells.api.catalogue import Action
from nova_cells.domain import errors

RULES = (policy.rule("os_compute_api:extensions", policy.ANYONE, "List or show extensions.",
                     "GET /extensions", "GET /extensions/{alias}"),)

#: alias=name
_KNOWN = """
    NMN=Multinic OS-DCF=DiskConfig OS-EXT-AZ=ExtendedAvailabilityZone
    OS-EXT-IMG-SIZE=ImageSize OS-EXT-IPS=ExtendedIps OS-EXT-IPS-MAC=ExtendedIpsMac
    OS-EXT-SRV-ATTR=ExtendedServerAttributes OS-EXT-STS=ExtendedStatus
    OS-FLV-DISABLED=FlavorDisabled OS-FLV-EXT-DATA=FlavorExtraData OS-SCH-HNT=SchedulerHints
    OS-SRV-USG=ServerUsage os-access-ips=AccessIPs os-admin-actions=AdminActions
    os-admin-password=AdminPassword os-agents=Agents os-aggregates=Aggregates
    os-assisted-volume-snapshots=AssistedVolumeSnapshots
    os-attach-interfaces=AttachInterfaces os-availability-zone=AvailabilityZone
    os-baremetal-ext-status=BareMetalExtStatus os-baremetal-nodes=BareMetalNodes
    os-block-device-mapping=BlockDeviceMapping
    os-block-device-mapping-v2-boot=BlockDeviceMappingV2Boot
    os-cell-capacities=CellCapacities os-cells=Cells os-certificates=Certificates
    os-cloudpipe=Cloudpipe os-cloudpipe-update=CloudpipeUpdate os-config-drive=ConfigDrive
    os-console-auth-tokens=ConsoleAuthTokens os-console-output=ConsoleOutput
    os-consoles=Consoles os-create-backup=CreateBackup os-create-server-ext=Createserverext
    os-deferred-delete=DeferredDelete os-evacuate=Evacuate
    os-extended-evacuate-find-host=ExtendedEvacuateFindHost
    os-extended-floating-ips=ExtendedFloatingIps os-extended-hypervisors=ExtendedHypervisors
    os-extended-networks=ExtendedNetworks os-extended-quotas=ExtendedQuotas
    os-extended-rescue-with-image=ExtendedRescueWithImage
    os-extended-services=ExtendedServices os-extended-services-delete=ExtendedServicesDelete
    os-extended-status=ExtendedStatus os-extended-volumes=ExtendedVolumes
    os-fixed-ips=FixedIPs os-flavor-access=FlavorAccess
    os-flavor-extra-specs=FlavorExtraSpecs os-flavor-manage=FlavorManage
    os-flavor-rxtx=FlavorRxtx os-flavor-swap=FlavorSwap os-floating-ip-dns=FloatingIpDns
    os-floating-ip-pools=FloatingIpPools os-floating-ips=FloatingIps
    os-floating-ips-bulk=FloatingIpsBulk os-fping=Fping
    os-hide-server-addresses=HideServerAddresses os-hosts=Hosts
    os-hypervisor-status=HypervisorStatus os-hypervisors=Hypervisors
    os-instance-actions=InstanceActions os-instance_usage_audit_log=OSInstanceUsageAuditLog
    os-keypairs=Keypairs os-lock-server=LockServer os-migrate-server=MigrateServer
    os-migrations=Migrations os-multiple-create=MultipleCreate os-networks=Networks
    os-networks-associate=NetworkAssociationSupport os-pause-server=PauseServer
    os-personality=Personality os-preserve-ephemeral-rebuild=PreserveEphemeralOnRebuild
    os-quota-class-sets=QuotaClasses os-quota-sets=Quotas os-rescue=Rescue
    os-security-group-default-rules=SecurityGroupDefaultRules
    os-security-groups=SecurityGroups os-server-diagnostics=ServerDiagnostics
    os-server-external-events=ServerExternalEvents os-server-group-quotas=ServerGroupQuotas
    os-server-groups=ServerGroups os-server-list-multi-status=ServerListMultiStatus
    os-server-password=ServerPassword os-server-sort-keys=ServerSortKeys
    os-server-start-stop=ServerStartStop os-services=Services os-shelve=Shelve
    os-simple-tenant-usage=SimpleTenantUsage os-suspend-server=SuspendServer
    os-tenant-networks=OSTenantNetworks os-used-limits=UsedLimits
    os-used-limits-for-admin=UsedLimitsForAdmin os-user-data=UserData
    os-user-quotas=UserQuotas os-virtual-interfaces=VirtualInterfaces
    os-volume-attachment-update=VolumeAttachmentUpdate os-volumes=Volumes
"""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def _document(alias: str, name: str) -> dict[str, typing.Any]:
    return {"alias": alias, "name": name, "description": f"{_WORD.sub(' ', name)}.", "links": [],
            "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
            "updated": "2014-12-03T00:00:00Z"}


EXTENSIONS = {alias: _document(alias, name)
              for alias, _, name in (word.partition("=") for word in _KNOWN.split())}


def list_all(_request: typing.Any) -> dict[str, typing.Any]:
    """All of them."""
    return {"extensions": list(EXTENSIONS.values())}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One, by its alias."""
    found = EXTENSIONS.get(request.args["alias"])
    if found is None:
        raise errors.NotFound("The resource could not be found.")
    return {"extension": found}


ACTIONS = (
    Action("extensions:list", "GET", "/extensions", "serve", handler=list_all,
           policy="os_compute_api:extensions"),
    Action("extensions:show", "GET", "/extensions/{alias}", "serve", handler=show,
           policy="os_compute_api:extensions"),
)
