// SPDX-License-Identifier: Apache-2.0

// Command rounds runs in a guest: it starts a daemon, waits until it is ready, ends it, and does so again and again. Then
// it tells what memory has become less.
//
//	rounds -n 1000 -p 2 [-kill] -- /files/falco -r tiny.yaml
//
// Memory is compared between a tenth of the rounds, when all caches are warm, and the end. Its lines are for the test that
// started it:
//
//	rounds: 1000 ended well, 0 did not
//	memory: Free 683000 682900 kB
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// readyLimit is how long a daemon may take to say that it is ready. It is there so that a hang is told as one.
const readyLimit = 60 * time.Second

// Free is what nobody has, and what comes and goes by the megabyte without being lost: pages that the CPUs hold back for
// themselves, and those of the processes that live, which are init and we.
var told = []string{"Free", "Slab", "SUnreclaim", "VmallocUsed", "Percpu", "KernelStack", "Shmem"}

// toReady and toEnd are sums over all rounds.
var toReady, toEnd atomic.Int64

func main() {
	count := flag.Int("n", 10, "rounds")
	parallel := flag.Int("p", 1, "daemons at a time")
	kill := flag.Bool("kill", false, "end them with SIGKILL")
	flag.Parse()

	warm := *count / 10
	failed := play(warm, *parallel, *kill, flag.Args())
	before := memory()
	failed += play(*count-warm, *parallel, *kill, flag.Args())
	after := memory()
	fmt.Printf("rounds: %d ended well, %d did not\n", *count-failed, failed)
	fmt.Printf("time: %v to be ready, %v to end\n",
		time.Duration(toReady.Load()/int64(*count)), time.Duration(toEnd.Load()/int64(*count)))
	for _, name := range told {
		fmt.Printf("memory: %s %d %d kB\n", name, before[name], after[name])
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// play plays count rounds in so many goroutines and gives the number of those that went wrong.
func play(count, parallel int, kill bool, argv []string) int {
	var left, failed atomic.Int64
	left.Store(int64(count))
	var workers sync.WaitGroup
	for worker := range parallel {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for left.Add(-1) >= 0 {
				if err := round(fmt.Sprintf("/run/rounds-%d", worker), kill, argv); err != nil {
					failed.Add(1)
					fmt.Println("round:", err)
				}
			}
		}()
	}
	workers.Wait()
	return int(failed.Load())
}

// round is one life of a daemon.
func round(socket string, kill bool, argv []string) error {
	os.Remove(socket)
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer notify.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	log := &strings.Builder{}
	cmd.Stderr = log
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		notify.SetReadDeadline(time.Now()) // nobody will say ready any more
	}()
	notify.SetReadDeadline(time.Now().Add(readyLimit))
	word := make([]byte, 1<<10)
	n, err := notify.Read(word)
	if err != nil || !strings.Contains(string(word[:n]), "READY=1") {
		cmd.Process.Kill()
		return fmt.Errorf("not ready: %v, %v\n%s", err, <-ended, log)
	}
	toReady.Add(int64(time.Since(start)))
	start = time.Now()
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	cmd.Process.Signal(signal)
	err = <-ended
	toEnd.Add(int64(time.Since(start)))
	var exit *exec.ExitError
	if kill && errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%v\n%s", err, log)
	}
	return nil
}

// memory reads /proc/meminfo, in kB, when what can be let go of is gone.
func memory() map[string]int64 {
	// A consumer is freed after a grace period.
	time.Sleep(500 * time.Millisecond)
	os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		fmt.Println("memory:", err)
		os.Exit(1)
	}
	memory := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			memory[strings.TrimSuffix(fields[0], ":")], _ = strconv.ParseInt(fields[1], 10, 64)
		}
	}
	memory["Free"] = memory["MemFree"] + heldBack() + memory["AnonPages"] + memory["PageTables"]
	return memory
}

// heldBack is what is in the CPUs' own lists of free pages, in kB.
func heldBack() int64 {
	text, err := os.ReadFile("/proc/zoneinfo")
	if err != nil {
		return 0
	}
	var pages int64
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "count:" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize()) >> 10
}
