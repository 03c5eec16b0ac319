#!/bin/sh
# Looks the pinned packages up among the known vulnerabilities (pip-audit), from an environment that is thrown away.
#
# Environment: UV (empty: use pip). Exit codes: 0 nothing known; 1 something known, or not all could be looked up.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")/.."

tool=pip-audit==2.10.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv=${UV-uv}
if [ -n "$uv" ] && "$uv" --version >/dev/null 2>&1; then
    "$uv" venv --quiet --python .venv/bin/python "$folder/venv"
    "$uv" pip install --quiet --python "$folder/venv/bin/python" "$tool"
else
    .venv/bin/python -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$tool"
fi
# strict: else it calls packages harmless that it could not look up
if "$folder/venv/bin/pip-audit" --strict --no-deps --disable-pip --progress-spinner off \
    --requirement requirements/lock.txt 2>"$folder/said"; then
    exit 0
fi
grep -v '^WARNING' "$folder/said" >&2 || true
if grep -q -e 'could not be audited' -e 'ConnectionError' "$folder/said"; then
    echo 'audit: not done: the data on vulnerabilities cannot be reached from this machine' >&2
else
    echo 'audit: raise the versions that are named in pyproject.toml, then make lock UPGRADE=1' >&2
fi
exit 1
