#!/bin/sh
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# Objects built for one instruction set may define nothing but symbols of its namespace. Anything else
# (an inline function of a shared header, say) could be picked by the linker for the whole program
# and stop it on a processor without that instruction set.
# usage: kernel_symbols_test.sh isa_v4 object...
set -eu
namespace=$1
shift
[ $# -gt 0 ] || { echo "no objects given"; exit 1; }
foreign=$(nm -C --defined-only --extern-only "$@" |
  grep -E '^[0-9a-f]+ [A-Za-z] ' | grep -v "longtake::$namespace::" || true)
[ -z "$foreign" ] || { echo "defined outside longtake::$namespace:"; echo "$foreign"; exit 1; }
