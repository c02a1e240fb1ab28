#!/bin/sh
# usage: wipe.sh NUMBER
# Stops a full node and deletes its ledger, which it fetches again at its next start (restart.sh NUMBER).
# A validator is not wiped: its signer does not go on beside an empty ledger (waybill testnet wipe --even-validator).
set -eu
"${WAYBILL:-bin/waybill}" testnet stop "${1:?usage: wipe.sh NUMBER}" --dir "${DIR:-.testnet/default}"
exec "${WAYBILL:-bin/waybill}" testnet wipe "$1" --dir "${DIR:-.testnet/default}"
