#!/bin/bash
# DevStack plugin nova_cells: plugin.sh MODE [PHASE], sourced by DevStack or by stack.sh of this directory.
#
#   stack pre-install   Debian packages        stack post-config   configuration, accounts
#   stack install       nova_cells, the image  stack extra         hosts, service, image, flavors
#   stack test-config   Tempest's switches     unstack, clean      the reverse
#
# Only DevStack's public functions are used, and those of lib/hosts, lib/image, lib/nova_cells and the profile's.

# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib/process
source "$NOVA_CELLS_DIR/devstack/lib/process"
# shellcheck source=lib/hosts
source "$NOVA_CELLS_DIR/devstack/lib/hosts"
# shellcheck source=lib/image
source "$NOVA_CELLS_DIR/devstack/lib/image"
# shellcheck source=lib/nova_cells
source "$NOVA_CELLS_DIR/devstack/lib/nova_cells"
# The functions configure_, start_, stop_ of each profile
# shellcheck source=lib/embedded
source "$NOVA_CELLS_DIR/devstack/lib/embedded"
# shellcheck source=lib/multi
source "$NOVA_CELLS_DIR/devstack/lib/multi"

if is_service_enabled nova-cells; then
    case ${1:-}/${2:-} in
    stack/pre-install)
        install_package "${NOVA_CELLS_PACKAGES[@]}" "${HOST_PACKAGES[@]}" "${GUEST_PACKAGES[@]}"
        ;;
    stack/install)
        install_nova_cells
        if [[ ! -s $(guest_image_path) ]]; then
            nova_cells_step "making the guest image" image \
                "check that apt can download linux-image-cloud-amd64, then run this again" make_guest_image
        fi
        echo_summary "guest image $(guest_image_path) sha256 $(cut -d' ' -f1 "$(guest_image_path).sha256")"
        ;;
    stack/post-config)
        "configure_$NOVA_CELLS_PROFILE"
        create_nova_cells_accounts
        ;;
    stack/extra)
        if is_service_enabled nova-cells-hosts; then
            nova_cells_step "starting the compute hosts" hosts \
                "read there why libvirtd does not answer, then run this again" nova_cells_as_root start_hosts
        fi
        "start_$NOVA_CELLS_PROFILE"
        nova_cells_step "image, flavors and key pair" resources \
            "see which service is not well (devstack/status.sh), then run this again" create_nova_cells_resources
        ;;
    stack/test-config)
        if is_service_enabled tempest; then
            configure_tempest_for_nova_cells
        fi
        ;;
    unstack/)
        stop_multi
        stop_embedded
        nova_cells_as_root stop_hosts
        ;;
    clean/)
        clean_nova_cells
        ;;
    esac
fi
