#!/bin/sh
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# Regenerates tests/golden/fixtures from nothing: a virtual environment with the recorded versions,
# then make_fixtures.py. Usage: tools/reference/make_fixtures.sh [fixture group ...]
# LONGTAKE_VENV names an environment to use or create (default: build/reference-venv).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${LONGTAKE_VENV:-$here/../../build/reference-venv}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
# One thread: the order of float64 sums, and so the last bit, would otherwise depend on the machine.
OMP_NUM_THREADS=1 "$venv/bin/python" "$here/make_fixtures.py" "$@"
