// SPDX-License-Identifier: Apache-2.0

// Program guest checks, in a guest, what is hard to say in one line an event:
// tracepoints, filters, several consumers, limits, lies. Each check opens the
// device itself, lets deeds/deeds.c do something, and judges what came; it
// prints "ok NAME" or "FAIL NAME" and why.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

type check struct {
	name string
	run  func(*T)
}

func checks() []check {
	return slices.Concat(tracepoints, network, lies, filters, limited, x32)
}

func main() {
	for _, c := range checks() {
		if len(os.Args) > 1 && !strings.Contains(c.name, os.Args[1]) {
			continue
		}
		t := &T{}
		func() {
			defer func() {
				if r := recover(); r != nil {
					if _, ok := r.(fatal); !ok {
						t.Errorf("panic: %v", r)
					}
				}
			}()
			c.run(t)
		}()
		if len(t.errors) == 0 {
			fmt.Println("ok", c.name)
			continue
		}
		fmt.Println("FAIL", c.name)
		for i, e := range t.errors {
			if i == 20 {
				fmt.Printf("\t… and %d more\n", len(t.errors)-i)
				break
			}
			fmt.Println("\t" + strings.ReplaceAll(e, "\n", "\n\t"))
		}
	}
	fmt.Println("end")
}
