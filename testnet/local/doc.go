// Package local runs networks of real node processes on the loopback interface, for people who try things out, for tests,
// and for the demonstration.
//
// What it does. Create makes a folder with a genesis, keys, wallets and a data folder for every node, and writes down in
// network.json who is who and on which ports. A Network starts, stops, kills, wipes and adds nodes as processes of the
// waybill program, and waits until they are ready. Demo runs a whole supply chain on such a network and explains it.
//
// What it deliberately does not do. It opens no ledger and speaks to nodes only through their command line and their HTTP
// interface: what works here works for a person with a shell. It runs on Unix only. It is not for networks that anybody depends on: the
// passphrase of all wallets lies beside them.
//
// Who calls it. `waybill testnet`, the scripts over it, and tests.
//
// # No process is left behind
//
// A node process holds a lock in its data folder, so that whether it runs is known whoever started it and however it ended.
// Nodes of a network in the foreground have a pipe as standard input and stop when it closes, which happens when the
// process that started them ends in any way. The process in the foreground holds a lock in the network's folder, by which
// `waybill testnet down` finds it.
//
// Concurrency. A Network may be used by several goroutines, and several processes may work on the same folder: changes of
// network.json happen under a lock. Each started process has a goroutine that waits for it; Stop joins them.
package local
