// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"
)

// Workers that read tasks side by side. Reading a task's memory can hang for as
// long as it likes, as when its arguments lie on a file system of its own: who
// hangs is left behind, and another one goes on.
const (
	workers    = 4
	maxWorkers = 16
	stuckAfter = time.Second
)

// maxTasks bounds the processes that one scan reads.
const maxTasks = 1 << 18

// ScanStats tells what a Scan has found, and what it cost.
type ScanStats struct {
	Tasks, FDs int
	Gone       int // processes that ended meanwhile, kernel threads, zombies
	Stuck      int // processes that could not be read in time
	Calls      uint64
}

// Scan reads all tasks and hands them to visit, one at a time, on the caller's
// goroutine. It returns early with ctx's error if that ends.
func (fs *FS) Scan(ctx context.Context, visit func(*Task)) (ScanStats, error) {
	before := fs.Calls()
	var st ScanStats
	var pids []int64
	if err := fs.numbers(fs.mount, maxTasks, func(pid int64) { pids = append(pids, pid) }); err != nil {
		return st, fmt.Errorf("list processes: %w", err)
	}
	fs.mnts.clear() // ids are used again
	defer fs.socks.clear()

	todo := make(chan int64, len(pids))
	for _, pid := range pids {
		todo <- pid
	}
	close(todo)
	done := make(chan []*Task, len(pids)) // never blocks: a worker left behind can still end
	started := 0
	start := func() {
		started++
		go func() {
			for pid := range todo {
				if ctx.Err() != nil {
					return
				}
				done <- fs.process(pid)
			}
		}()
	}
	for range min(workers, max(2, runtime.NumCPU())) {
		start()
	}
	tick := time.NewTicker(stuckAfter)
	defer tick.Stop()
	idle := true
	for got := 0; got < len(pids); {
		select {
		case tasks := <-done:
			got++
			idle = false
			if len(tasks) == 0 {
				st.Gone++
			}
			for _, t := range tasks {
				st.Tasks++
				st.FDs += len(t.FDs)
				visit(t)
			}
		case <-tick.C:
			if idle {
				if len(todo) == 0 || started == maxWorkers {
					st.Stuck = len(pids) - got
					got = len(pids)
					break
				}
				start()
			}
			idle = true
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
	st.Calls = fs.Calls() - before
	return st, nil
}

// process reads a process with all of its threads, nil if there is nothing.
func (fs *FS) process(pid int64) []*Task {
	dir := fs.mount + "/" + strconv.FormatInt(pid, 10)
	main, err := fs.task(dir, pid)
	if err != nil || !main.IsMain() {
		return nil
	}
	fs.fillSockets(dir, main)
	fs.fillDevs(dir, main)
	tasks := []*Task{main}
	if main.Threads > 1 {
		var tids []int64
		_ = fs.numbers(dir+"/task", maxThreads, func(tid int64) { tids = append(tids, tid) })
		for _, tid := range tids {
			if tid != pid {
				if t := fs.thread(dir, main, tid); t != nil {
					tasks = append(tasks, t)
				}
			}
		}
	}
	return tasks
}

// thread reads what a thread has of its own; the rest is the main one's.
func (fs *FS) thread(dir string, main *Task, tid int64) *Task {
	t := *main
	t.ReadAt = uint64(fs.now().UnixNano())
	t.Tid, t.NSTid = tid, 0
	t.FDs, t.Env, t.Cwd = nil, nil, ""
	bufs := pool.Get().(*buffers)
	defer pool.Put(bufs)
	b, err := fs.read(bufs.small, dir+"/task/"+strconv.FormatInt(tid, 10)+"/status", maxSmall)
	if err != nil || parseStatus(b, &t) != nil || t.Pid != main.Pid {
		return nil
	}
	if t.Sid == 0 { // the session is of the namespace outside; its number there is in stat
		t.Sid = main.Sid
	}
	return &t
}
