#!/bin/sh
# Makes a virtual environment with handrail and its development tools: setup.sh FOLDER [newest|oldest|highest] [CONSTRAINTS]
# It needs Python >= 3.11 with venv and pip, nothing else. A folder that is already right is left as it is.
# newest and oldest are looked for on PATH, highest also among pyenv's; when that is .venv's, FOLDER leads to .venv.
set -eu
cd "$(dirname "$0")/.."

folder=$1
which_python=${2:-newest}
constraints=${3:-}
stamp=$folder/.installed
log=.cache/$(basename "$folder").log

# What was installed from: when any of it changes, the environment is made anew or brought up to date.
recipe() {
    cat pyproject.toml scripts/setup.sh ${constraints:+"$constraints"}
    pwd
}

is_suitable() {
    "$1" -c 'import sys, venv, ensurepip, sqlite3, ssl; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# pyenv's shims on PATH only run the versions that are chosen there, so they are named by their folders.
candidates_anywhere() {
    for minor in 14 13 12 11; do
        echo "python3.$minor"
        ls -d "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.$minor.*/bin/python 2>/dev/null | sort -r || true
    done
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        if is_suitable "$PYTHON"; then echo "$PYTHON" && return; fi
        echo "PYTHON=$PYTHON is no Python >= 3.11 with venv and pip." >&2
        return 1
    fi
    case $which_python in
        newest) candidates="python3.14 python3.13 python3.12 python3.11 python3 python" ;;
        oldest) candidates="python3.11 python3.12 python3.13 python3.14 python3 python" ;;
        highest) candidates="$(candidates_anywhere) python3 python" ;;
        *) echo "newest, oldest or highest, not $which_python" >&2 && return 2 ;;
    esac
    for candidate in $candidates; do
        if is_suitable "$candidate"; then echo "$candidate" && return; fi
    done
    echo "No Python >= 3.11 with venv and pip was found on PATH." >&2
    echo "Install one (Debian: apt-get install python3 python3-venv python3-pip), or name it: make PYTHON=/path/to/python3" >&2
    return 1
}

run() {
    if ! "$@" >>"$log" 2>&1; then
        grep -E '^ERROR|^error|Error:' "$log" >&2 || tail -n 20 "$log" >&2
        echo "Could not install into $folder; all that was said is in $log. Failed: $*" >&2
        return 1
    fi
}

# An environment that was moved or copied, or whose interpreter is gone, still has scripts that name the old place.
is_whole() {
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 && grep -qF "$PWD/$folder/bin/" "$folder/bin/pip"
}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(recipe | cksum)" ] && "$folder/bin/python" -c ''; then
    exit 0
fi

python=$(find_python)
if [ "$which_python" = highest ] && [ "$("$python" --version)" = "$(.venv/bin/python --version)" ]; then
    rm -rf "$folder"
    ln -s .venv "$folder"
    exit 0
fi
echo "Setting up $folder with $("$python" --version) ..." >&2
mkdir -p .cache && : >"$log"
if ! is_whole; then
    rm -rf "$folder"
    run "$python" -m venv "$folder"
fi
rm -f "$stamp"
if [ -n "$constraints" ]; then
    set -- --constraint "$constraints"
else
    set -- --upgrade --upgrade-strategy eager
fi
run "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]' "$@"
recipe | cksum >"$stamp"
