#!/bin/sh
# usage: restart.sh NUMBER
# Stops a node if it runs, starts it, and waits until it has caught up.
set -eu
exec "${WAYBILL:-bin/waybill}" testnet restart "${1:?usage: restart.sh NUMBER}" --dir "${DIR:-.testnet/default}"
