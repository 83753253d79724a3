// SPDX-License-Identifier: Apache-2.0

// Package output knows how each receiver wants its events: one file a receiver,
// one line in the list (list.go).
//
// What is the same for all of them happens around this package, in
// pkg/forward: events come from the spool, are chosen by priority and route, wait for
// their turn, are tried again, are put aside when they are refused. An output
// encodes, sends, and tells what became of it.
//
// # How to add an output
//
// One file, <name>.go, with four things: the settings, as a struct with tags
// (package settings says which); the Kind, which describes the output to the
// engine; a constructor; Send.
//
//	type frobConfig struct {
//		URL  Secret `key:"url" enables:"true" doc:"where to post"`
//		HTTP        // mutualtls, checkcert, maxconcurrentrequests: of every output that speaks HTTP
//	}
//
//	var frob = Define(Kind{
//		Name: "frob", Title: "Frob", Section: "frob",
//		Limits: ChatLimits, Rate: Rate{1, time.Second}, Digest: 50,
//	}, newFrob)
//
//	func newFrob(cfg *frobConfig, env *Env) (Output, error) { … }
//
// And one line in list.go, in the alphabet's place, so that two people who add
// different ones seldom touch the same line. A library of its own gets a line in tests/arch
// (doors).
//
// The rules:
//
//   - The constructor checks the settings and fails if they cannot work. It
//     never talks to the network: who is not there yet will come. It reads keys and
//     certificates.
//   - Send gets between 1 and Batch.Events events, which it must not change or
//     keep. It returns nil when the receiver has them all, for good: an
//     answer, a confirmation, whatever the protocol has. It honours ctx, which ends
//     with the attempt's time. It never tries again by itself, but for what belongs to
//     one attempt (a connection that was found closed, a token that has expired).
//   - An error says what kind it is (errors.go): Permanent, Misconfigured,
//     Retry with the time that was asked for, TooBig, or Partial, if some of the batch are
//     through. All else is tried again.
//   - Send may be called by several goroutines at once, unless Kind.Workers is 1
//     and the settings offer no maxconcurrentrequests.
//   - A second delivery of an event must do no harm where the protocol has a
//     way: the event's UUID is the name of the object, the document, the message.
//   - Nothing of an event is trusted: not its length, not its bytes. The kit of
//     package outputtest sends what is hostile.
//   - Secrets are of type Secret, and never in an error. Client keeps URLs
//     out of errors, because those of chats are secrets.
//   - Time is env.Now(), never time.Now().
//
// The test stands beside it, <name>_test.go, and is short:
// outputtest.Open makes the output from YAML lines, outputtest.Server is a receiver that says
// what it wants, outputtest.Hostile sends hostile events, outputtest.Original compares
// with what the original sends. webhook.go and webhook_test.go are the model.
package output
