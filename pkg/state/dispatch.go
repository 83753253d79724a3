// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// row says what an event does to the tables. Events without a row are about a
// thread and change nothing.
type row struct {
	fd   int8 // index of the parameter that holds a descriptor; 0 if none does
	find find // what to do if the thread is not in the table
	fn   func(s *State, ev *event.Event)

	// Filled in by complete.
	kind   kind
	passes bool // the event changes no table

	names   bool // fn may give the event's descriptor another name without making a record for it
	keeps   bool // what fn makes has its name from elsewhere: it has not changed
	carries bool // instead of fn, transfer
}

// kind says how Apply takes an event.
type kind uint8

const (
	ofCall  kind = iota // a system call has ended
	ofTask              // something else has happened to a thread
	ofEnter             // a system call begins
	ofNone              // there is no thread: meta
)

// find says how hard to look for a thread.
type find uint8

const (
	findAnywhere find = iota // read /proc, or make a place holder
	findTable                // only in the table: the event itself tells more, or /proc cannot know
)

// table is indexed by event type. Families stand in the order of their files.
var table = complete([schema.NumEvents]row{
	// clone.go
	schema.CloneX:  {find: findTable, fn: (*State).clone},
	schema.Clone3X: {find: findTable, fn: (*State).clone},
	schema.ForkX:   {find: findTable, fn: (*State).clone},
	schema.VforkX:  {find: findTable, fn: (*State).clone},
	// process.go
	schema.ExecveX:   {fn: (*State).exec},
	schema.ExecveatX: {fn: (*State).exec},
	schema.ProcexitE: {find: findTable, fn: (*State).exit},
	schema.SetsidX:   {fn: (*State).setsid},
	schema.SetpgidX:  {fn: (*State).setpgid},
	schema.PrctlX:    {fn: (*State).prctl},
	schema.SwitchE:   {find: findTable, fn: (*State).switched},
	// A new task faults before its clone event has come: no place holder for it.
	schema.PageFaultE: {find: findTable},

	// limits and memory: memory.go
	schema.SetrlimitX: {fn: (*State).rlimit},
	schema.GetrlimitX: {fn: (*State).rlimit},
	schema.PrlimitX:   {fn: (*State).prlimit},
	schema.BrkX:       {fn: (*State).memory},
	schema.MmapX:      {fd: 8, fn: (*State).memory},
	schema.Mmap2X:     {fd: 8, fn: (*State).memory},
	schema.MunmapX:    {fn: (*State).memory},

	// cred.go
	schema.SetuidX:    {fn: (*State).setuid},
	schema.SetgidX:    {fn: (*State).setgid},
	schema.SetreuidX:  {fn: (*State).setreuid},
	schema.SetregidX:  {fn: (*State).setregid},
	schema.SetresuidX: {fn: (*State).setresuid},
	schema.SetresgidX: {fn: (*State).setregid},
	schema.CapsetX:    {fn: (*State).capset},
	schema.UnshareX:   {fn: (*State).unshare},
	schema.SetnsX:     {fd: 1, fn: (*State).setns},

	// path.go
	schema.OpenX:           {fn: (*State).open},
	schema.OpenatX:         {fn: (*State).openat},
	schema.Openat2X:        {fn: (*State).openat},
	schema.CreatX:          {fn: (*State).creat},
	schema.OpenByHandleAtX: {fn: (*State).openByHandle},
	schema.ChdirX:          {fn: (*State).chdir},
	schema.FchdirX:         {fd: 1, fn: (*State).fchdir},
	schema.GetcwdX:         {fn: (*State).getcwd},
	schema.FstatX:          {fd: 1},
	schema.NewfstatatX:     {fd: 1},
	schema.GetdentsX:       {fd: 1},
	schema.Getdents64X:     {fd: 1},
	schema.FchmodX:         {fd: 1},
	schema.FchmodatX:       {fd: 1},
	schema.FchownX:         {fd: 1},
	schema.FchownatX:       {fd: 1},
	schema.MkdiratX:        {fd: 1},
	schema.UnlinkatX:       {fd: 1},
	schema.MknodatX:        {fd: 1},
	schema.SymlinkatX:      {fd: 2},

	// mount.go
	schema.ChrootX:   {fn: (*State).chroot},
	schema.FsconfigX: {fd: 1},

	// io.go
	schema.CloseX:           {fd: 1, fn: (*State).closeFD},
	schema.CloseRangeX:      {fn: (*State).closeRange},
	schema.DupX:             {fd: 1, fn: (*State).dup},
	schema.Dup2X:            {fd: 1, fn: (*State).dup},
	schema.Dup3X:            {fd: 1, fn: (*State).dup},
	schema.FcntlX:           {fd: 1, fn: (*State).fcntl},
	schema.ReadX:            {fd: 2, carries: true},
	schema.PreadX:           {fd: 2, carries: true},
	schema.ReadvX:           {fd: 3, carries: true},
	schema.PreadvX:          {fd: 3, carries: true},
	schema.WriteX:           {fd: 2, carries: true},
	schema.PwriteX:          {fd: 2, carries: true},
	schema.WritevX:          {fd: 2, carries: true},
	schema.PwritevX:         {fd: 2, carries: true},
	schema.IoctlX:           {fd: 1},
	schema.LseekX:           {fd: 1},
	schema.LlseekX:          {fd: 1},
	schema.FlockX:           {fd: 1},
	schema.CopyFileRangeX:   {fd: 1},
	schema.SendfileX:        {fd: 2},
	schema.SpliceX:          {fd: 2},
	schema.IoUringEnterX:    {fd: 1},
	schema.IoUringRegisterX: {fd: 1},

	// socket.go
	schema.SocketX:     {fn: (*State).socket},
	schema.SocketpairX: {fn: (*State).socketpair},
	schema.BindX:       {fd: 2, names: true, fn: (*State).bind},
	schema.ListenX:     {fd: 1},
	schema.ConnectX:    {fd: 2, names: true, fn: (*State).connect},
	schema.AcceptX:     {names: true, fn: (*State).accept},
	schema.Accept4X:    {names: true, fn: (*State).accept},
	schema.SendX:       {fd: 2, names: true, fn: (*State).send},
	schema.SendtoX:     {fd: 2, names: true, fn: (*State).send},
	schema.SendmsgX:    {fd: 2, names: true, fn: (*State).send},
	schema.SendmmsgX:   {fd: 1, names: true, fn: (*State).sendmmsg},
	schema.RecvX:       {fd: 2, names: true, fn: (*State).recv},
	schema.RecvfromX:   {fd: 3, names: true, fn: (*State).recvfrom},
	schema.RecvmsgX:    {fd: 5, names: true, fn: (*State).recvmsg},
	schema.RecvmmsgX:   {fd: 1, names: true, fn: (*State).recvmmsg},
	schema.ShutdownX:   {fd: 1},
	schema.SetsockoptX: {fd: 1},
	schema.GetsockoptX: {fd: 1},

	// ipc.go
	schema.PipeX:          {fn: (*State).pipe},
	schema.Pipe2X:         {fn: (*State).pipe},
	schema.EventfdX:       {fn: (*State).eventfd},
	schema.Eventfd2X:      {fn: (*State).eventfd},
	schema.SignalfdX:      {fn: (*State).signalfd},
	schema.Signalfd4X:     {fn: (*State).signalfd},
	schema.TimerfdCreateX: {fn: (*State).timerfd},
	schema.InotifyInitX:   {fn: (*State).inotify},
	schema.InotifyInit1X:  {fn: (*State).inotify},
	schema.EpollCreateX:   {fn: (*State).epoll},
	schema.EpollCreate1X:  {fn: (*State).epoll},
	schema.MemfdCreateX:   {fn: (*State).memfd},
	schema.PidfdOpenX:     {fn: (*State).pidfdOpen},
	schema.PidfdGetfdX:    {keeps: true, fn: (*State).pidfdGetfd},

	// kernel.go
	schema.BpfX:          {fn: (*State).bpf},
	schema.UserfaultfdX:  {fn: (*State).userfaultfd},
	schema.IoUringSetupX: {fn: (*State).ioUring},
	schema.FinitModuleX:  {fd: 1},
})

// complete adds to the rows what the schema says.
func complete(rows [schema.NumEvents]row) [schema.NumEvents]row {
	for i := range rows {
		r, info := &rows[i], &schema.Events[i]
		switch info.Class {
		case schema.ClassMeta, schema.ClassPlugin, schema.ClassInternal:
			r.kind = ofNone
		case schema.ClassSyscall:
			if schema.EventType(i).IsEnter() {
				r.kind = ofEnter
			}
		default:
			r.kind = ofTask
		}
		if info.Flags&(schema.CreatesFD|schema.UsesFD|schema.DestroysFD) == 0 {
			r.fd = 0
		}
		r.passes = r.kind == ofCall && r.find == findAnywhere && r.fn == nil && !r.carries
	}
	return rows
}
