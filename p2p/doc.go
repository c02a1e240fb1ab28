// Package p2p moves bytes between authenticated peers within limits.
//
// What it does. A Network is one libp2p host: TCP, Noise and yamux only, with
// a secp256k1 identity. It finds peers (bootstrap list, mDNS, a private
// Kademlia namespace), keeps connections to them, checks on every connection
// that both sides belong to the same network, and then offers three ways to
// move bytes:
//
//   - direct messages: one long-lived stream per peer and Class, each with its
//     own bounded queue ([Network.Send], [Network.Broadcast]);
//   - requests: one stream per question and answer ([Network.Request],
//     [Network.HandleRequest]);
//   - gossip: topics flooded through the whole network ([Network.Join],
//     [Network.Publish]).
//
// What it deliberately does not do. It never looks into a message, knows no
// other package of this repository, trusts no peer for anything but being the
// holder of its key, keeps nothing on disk, and retries no message across a
// restart. Delivery is best effort: a message may be lost when a connection
// breaks and, rarely, arrives twice. Nothing is found through the DHT but
// addresses of peers. Besides the TCP listeners of [Config.Listen] nothing
// listens, save the multicast socket of mDNS when [Config.MDNS] is set.
//
// Who calls it. The node does, and only the node: one Network per process,
// made by [New], driven by [Network.Run], which returns after everything it
// started has ended.
//
// What may run concurrently. Every method of Network may be called from any
// goroutine, except that [Network.Handle] and [Network.Join] come before Run.
// Handler methods and topic and request callbacks are called from many
// goroutines at once; for one peer, Connected comes before the first Message
// and Disconnected after the last.
//
// # Goroutines
//
//	greeter   one per connection, until its greeting is done: blocks on the greeting stream
//	reader    one per peer and class: blocks on its stream and in Handler.Message
//	writer    one per peer and class: blocks on its queue and its stream
//	responder one per served request, capped: blocks on its stream and the callback
//	dialer    one: blocks on timers; starts at most maxParallelDials dials
//	finder    one, with DHT: blocks on timers and lookups
//	topic     one per joined topic: blocks on the subscription and the callback
//
// # Limits
//
// Every queue, message, stream and connection has a limit, all of them in
// [Limits]. At a full queue the oldest message of that peer and class is
// dropped and counted. A peer that breaks framing or a size limit, or that
// does not read for [Limits.WriteTimeout], is disconnected; the former is
// also refused for [Limits.Penalty].
package p2p
