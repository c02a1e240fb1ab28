// Command waybill is the node, the wallet and the test network in one program.
//
// What it does. One file per group of commands turns flags and files into calls of the packages below and their answers into
// tables for people or JSON for programs: wallets and keys (wallet.go), acts on the ledger (send.go, capture.go, org.go,
// prefix.go, key.go, stake.go), questions (events.go, trace.go, item.go, tx.go, block.go, validators.go), identifiers and
// hashes (id.go, hash.go), a node, its signer and its snapshots (node.go, signer.go, snapshot.go) and local test networks
// (testnet.go).
//
// What it deliberately does not do. It decides no rule, keeps no unlocked key longer than one signature needs, takes no
// secret from the command line or the environment, and writes nothing of the network to the terminal without escaping what
// could move its cursor.
//
// # Conventions
//
// Data goes to standard output, messages and progress to standard error. --output json prints one JSON document per command
// whose fields are those of the HTTP interface; table output may change. Flags are accepted before and after arguments. A
// flag comes from the command line, else from the environment where its help names a variable, else it has its default.
//
// Exit status: 0 done; 1 another error; 2 wrong use; 3 configuration; 4 not found; 5 refused by a rule of the ledger;
// 6 not confirmed in time; 7 the node is not in sync; 8 data folder in use, foreign or damaged; 9 refused for safety;
// 130 and 143 stopped by SIGINT and SIGTERM.
//
// Concurrency. Commands run one after the other in the main goroutine; `node start` and `testnet` start those of the
// packages they run, and join them.
package main
