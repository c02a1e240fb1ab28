#!/bin/sh
# usage: kill.sh NUMBER
# Ends a node as a crash would (SIGKILL). The network goes on while the others have more than two thirds of the stake.
set -eu
exec "${WAYBILL:-bin/waybill}" testnet kill "${1:?usage: kill.sh NUMBER}" --dir "${DIR:-.testnet/default}"
