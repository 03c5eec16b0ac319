#!/bin/sh
# Makes .venv and keeps it true: pinned packages and the project itself, editable. Called by make with what it
# shall hold: `run`, or `dev` for checks, tests and benchmarks as well. Does nothing when .venv is as it should be.
#
# Environment, each may be empty: PYTHON, ACCELERATOR (cpu, gpu, or without TensorFlow jax, jax-gpu), EXTRAS
# (comma-separated), UV (empty: use pip).
#
# .venv/setup-state says what .venv holds: accelerator, run or dev, checksum of the requirements, folder of the
# project. It says `unfinished` and the process from before the first package until after the last.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")/.."

state=.venv/setup-state
lock=requirements/lock.txt
place=$(pwd -P)
checksum=$(cat pyproject.toml "$lock" "$0" | cksum | tr ' ' '-')

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

main() {
    role=$1
    case ${ACCELERATOR:=} in ''|cpu|gpu|jax|jax-gpu) ;;
        *) fail "ACCELERATOR is '$ACCELERATOR'; it can be cpu, gpu, jax or jax-gpu" ;;
    esac
    has_accelerator='' has_role='' has_checksum='' has_place=''
    if [ -e "$state" ]; then
        read -r has_accelerator has_role has_checksum has_place < "$state" || true
    elif [ -e .venv ] || [ -L .venv ]; then
        fail "there is a .venv that 'make' did not make, so it is left alone. Move or remove it, then run this again"
    fi
    if [ "$has_role" = dev ]; then role=dev; fi
    why=$(why_new)
    if [ -n "$why" ]; then
        create "$why"
    elif [ "$has_role $has_checksum" = "$role $checksum" ] && [ -z "${EXTRAS:-}" ]; then
        exit 0
    fi
    install_packages
}

# Prints why .venv cannot be used or mended, nothing if it can.
why_new() {
    if [ -z "$has_accelerator" ]; then echo "there is none yet"
    elif [ "$has_accelerator" = unfinished ]; then
        if kill -0 "$has_role" 2>/dev/null; then
            fail "another set-up (process $has_role) is at work on .venv: run this again when it is done"
        fi
        echo "the last set-up did not finish"
    elif [ "$has_place" != "$place" ]; then echo "it was made in $has_place"
    elif ! .venv/bin/python -c "$has_packages" 2>/dev/null; then echo "its Python no longer works"
    elif [ -n "${PYTHON:-}" ] && [ "$("$PYTHON" -c "$identity" 2>&1)" != "$(.venv/bin/python -c "$identity")" ]; then
        echo "it was made with another Python than $PYTHON"
    elif [ -n "$ACCELERATOR" ] && [ "$has_accelerator" != "$ACCELERATOR" ]; then
        echo "it was made for the $has_accelerator"
    fi
}
has_packages='import importlib.util, sys; sys.exit(importlib.util.find_spec("optuna") is None)'
identity='import sys; print(sys.version_info[:3], sys.base_prefix)'

create() {
    find_uv
    find_python
    has_accelerator=$ACCELERATOR
    if [ -z "$has_accelerator" ]; then has_accelerator=$(detect_accelerator); fi
    say "making .venv ($1) with $("$python" -c 'import platform; print("Python", platform.python_version())')" \
        "for the $has_accelerator; this downloads much the first time"
    rm -rf .venv
    mkdir .venv
    mark_unfinished
    "$python" -m venv ${uv:+--without-pip} .venv || fail "$python could not make a virtual environment (see above)"
}

# Sets `uv` to a uv that runs, or to nothing.
find_uv() {
    uv=${UV-uv}
    if [ -n "$uv" ] && ! "$uv" --version >/dev/null 2>&1; then uv=''; fi
}

# Sets `python` to the first Python that really runs (a shim may not), is of a fitting version, and can make .venv.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.11 python3.12 python3.13 python3; fi
    needs=venv
    if [ -z "$uv" ]; then needs='venv, ensurepip'; fi
    tried=''
    for name in "$@"; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || version=''
        case $version in
            '') tried="$tried; $name: missing, or does not run" ;;
            3.11|3.12|3.13)
                if "$name" -c "import $needs" 2>/dev/null; then
                    python=$("$name" -c 'import sys; print(sys.executable)')
                    return
                fi
                tried="$tried; $name: lacks ensurepip (on Debian and Ubuntu: apt install python$version-venv; or install uv)"
                ;;
            *) tried="$tried; $name: is Python $version" ;;
        esac
    done
    fail "Python 3.11, 3.12 or 3.13 is needed${tried}. Install one, or name it: make PYTHON=/path/to/python3.11 ..."
}

detect_accelerator() {
    if [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ] || nvidia-smi -L >/dev/null 2>&1; then
        echo gpu
    else
        echo cpu
    fi
}

install_packages() {
    extras=$has_accelerator${EXTRAS:+,$EXTRAS}
    if [ "$role" = dev ]; then extras=$extras,dev; fi
    find_uv
    if [ -z "$uv" ] && ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        .venv/bin/python -m ensurepip >/dev/null || fail "pip is missing from .venv: 'make clean', then run this again"
    fi
    mark_unfinished
    if [ -n "$uv" ]; then
        "$uv" pip install --python .venv/bin/python --constraint "$lock" --editable ".[$extras]" ||
            fail "$help_with_index. uv does not read pip's settings: with UV= on make's command line pip is used"
    else
        PIP_USER=0 .venv/bin/python -m pip install --disable-pip-version-check --constraint "$lock" \
            --editable ".[$extras]" || fail "$help_with_index"
    fi
    printf '%s %s %s %s\n' "$has_accelerator" "$role" "$checksum" "$place" > "$state.new"
    mv "$state.new" "$state"
}
help_with_index="the packages could not be installed (see above). If the package index was not reached, check the \
network and your proxy or index settings, then run this again; what is downloaded is kept"

mark_unfinished() { echo "unfinished $$" > "$state"; }

main "$@"
