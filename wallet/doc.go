// Package wallet keeps keys and makes transactions with them.
//
// What it does. [NewWords] draws a BIP-39 sentence; [Words.Key] derives the account key from it (BIP-32 and BIP-44, the
// path is [AccountPath]). A [Folder] holds several named wallets, each one encrypted file (scrypt and XChaCha20-Poly1305)
// that only its owner may read and that is never overwritten. A [Builder] turns EPCIS events and the other acts of the
// ledger into transaction bodies for one network and splits captures that are too large where that is allowed;
// [Wallet.Sign] and [Signer] sign them. What several people must sign travels between them as a [Draft], in a file.
//
// What it deliberately does not do. It asks nobody for a passphrase (the command line does), opens no connection, keeps
// no unlocked key anywhere but in the [Wallet] value it hands out, and follows no transaction: sending and waiting belong
// to the api client. It writes no log, and no error or printed value of this package shows a secret.
//
// Who calls it. The command line, the demo and the tests; the node only through a small interface of the api.
//
// Concurrency. A Folder, a Signer, an unlocked Wallet and Words may be used by several goroutines at once, a Builder too if
// its Random may; two processes creating the same wallet name race safely, one of them gets ErrExists. A Draft belongs to
// one goroutine.
package wallet
