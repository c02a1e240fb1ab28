#!/bin/sh
# usage: start.sh [VALIDATORS [FULL-NODES]]
# Starts a network in the background, 4 validators if you do not say otherwise; makes it if there is none.
# WAYBILL is the program (bin/waybill), DIR the network's folder (.testnet/default).
set -eu
exec "${WAYBILL:-bin/waybill}" testnet up --dir "${DIR:-.testnet/default}" --detach \
	${1:+--validators "$1"} ${2:+--full "$2"}
