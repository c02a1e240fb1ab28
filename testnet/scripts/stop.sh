#!/bin/sh
# usage: stop.sh
# Stops every node of the network; what is final stays on disk.
set -eu
exec "${WAYBILL:-bin/waybill}" testnet down --dir "${DIR:-.testnet/default}"
