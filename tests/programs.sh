# Prints the markers of the tests that can run here, for `pytest -m`: all of them, less those whose program is missing.
#
# A missing program is installed where that can be done without asking: by apt-get for root, by Playwright for Chromium
# elsewhere. What can't be is named in one line; with CI=true that is a failure, but for Node, which nobody needs.
set -eu
markers=

has() {
    for program; do
        command -v "$program" >/dev/null 2>&1 && return
    done
    return 1
}

from_debian() {
    [ "$(id -u)" = 0 ] && has apt-get || return 1
    echo "Installing $1" >&2
    [ -n "${updated:-}" ] || apt-get -qq update >&2
    updated=yes
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$1" >/dev/null 2>&1
}

missing() {
    echo "$1 is missing and could not be installed: the tests marked '$2' do not run" >&2
    [ "${CI:-}" != true ] || exit 1
    without "$2"
}

without() {
    markers="${markers:+$markers and }not $1"
}

# What it installs is thrown away: the tests find it in npm's cache.
packages_of_node() (
    has node && has npm && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || return 1
    folder=$(mktemp -d)
    trap 'rm -r "$folder"' EXIT
    cp tests/elsewhere/node/package*.json "$folder"
    cd "$folder" && npm ci --silent --ignore-scripts >/dev/null 2>&1
)

PATH=$PATH:/usr/sbin:/usr/local/sbin
"$BIN/python" tests/support/browser.py || from_debian chromium || "$BIN/playwright" install chromium >&2 ||
    missing Chromium browser
has nginx || from_debian nginx || missing nginx nginx
has ip || from_debian iproute2 || missing iproute2 namespaces
has ps || from_debian procps || { echo 'ps is missing: install procps' >&2; exit 1; }
packages_of_node || {
    echo "Node 20 with npm, or what npm would fetch, is missing: the tests marked 'node' do not run" >&2
    without node
}
echo "$markers"
