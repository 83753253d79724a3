// SPDX-License-Identifier: Apache-2.0

// Package forward takes alerts in and brings them to receivers, and loses none.
//
//	consume (NATS, Kafka) ─┐
//	POST /, unix socket ─► intake.go ─► enrich.go ─► spool ──► 200
//	                       decode        fields,       │
//	                                     tags, uuid    ├─► deliver.go, one for each output:
//	                                                   │     feed.go    who wants it? (route.go) how many at once?
//	                                                   │     gate.go    may we, now? pauses, circuit breaker, rate
//	                                                   │     output     Send
//	                                                   │     dead.go    what is refused for good
//	                                                   └─► the next output
//
// A sender gets its 200 when the event is in the spool, and there it stays until
// each output is done with it: has delivered it, has put it aside (dead letters), does not
// want it (priority, route), or has dropped it by a rule that somebody has set. Each output reads
// the spool at its own pace, so that none waits for another. For each, at any time:
//
//	accepted + replayed = delivered + dead + dropped + filtered + queued
//
// (Books has the numbers.) Delivery is at least once; UUIDs let receivers see
// that they have an event already.
//
// Settings are read by config.go, into the structs that the outputs have for
// theirs. The same names as ever work; what is misspelt is said.
package forward
