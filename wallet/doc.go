// Package wallet keeps keys and makes transactions with them.
//
// What it does. [NewWords] draws a BIP-39 sentence; [Words.Key] derives the account key from it (BIP-32 and BIP-44, the
// path is [AccountPath]). A [Folder] holds several named wallets, each one encrypted file (scrypt and XChaCha20-Poly1305)
// that only its owner may read and that is never overwritten. A [Builder] turns EPCIS documents and the other ledger acts
// into transaction bodies for one network, splits what is too large where that is allowed, and [Draft] is the file in
// which an unsigned or partly signed transaction travels between the people who must sign it.
//
// What it deliberately does not do. It asks nobody for a passphrase (the command line does), opens no connection, keeps
// no unlocked key anywhere but in the [Wallet] value it hands out, and follows no transaction: sending and waiting belong
// to the api client. It writes no log, and no error or printed value of this package shows a secret.
//
// Who calls it. The command line, the demo and the tests; the node only through a small interface of the api.
//
// Concurrency. A Folder and a Builder are values without shared state and may be used at once; two processes creating
// the same wallet name race safely, one of them gets ErrExists. A Wallet and Words may be read at once.
package wallet
