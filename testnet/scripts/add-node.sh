#!/bin/sh
# usage: add-node.sh
# Adds a full node to the running network and waits until it has caught up.
set -eu
exec "${WAYBILL:-bin/waybill}" testnet add-node --dir "${DIR:-.testnet/default}"
