# SPDX-License-Identifier: Apache-2.0
#
# The intrusion of the demo: a hole in a web server, and what comes of it.
#
# Runs as root in the guest (busybox sh), with actor in /files. Every step names
# the rule it is about and how often that rule must fire:
#
#   act N RULE COMMAND …    the act: RULE fires N times and nothing else does
#   twin RULE COMMAND …     its harmless likeness: nothing fires
#
# A step opens with a file of that name below $steps, so that a test whose rules
# know the folder sees from the alerts alone where a step begins and ends.

stage=/tmp/stage     # actor, under the names that rules know
steps=/tmp/steps
actor=/files/actor
status=0

step() {
	echo "$1 $2" >"$steps/$1 $(echo "$2" | tr / :)"
}

played() {
	echo "$*"
	"$@" || { echo "act.sh: this step did not come off" >&2; status=1; }
	echo >"$steps/end"
}

act() {
	step "$1" "$2"
	shift 2
	played "$@"
}

twin() {
	step 0 "$1"
	shift
	played "$@"
}

# container COMMAND …: runs it in a cgroup of the shape that docker gives to its
# containers, which is all that makes a container to those who watch.
container() {
	"$actor" enter "$cgroup" "$@"
}

empty_log() {
	: >"$1"
}

# hide PID: an empty folder over a process, as ps and top then see it.
hide() {
	mount -o bind /tmp/empty "/proc/$1"
}

# --- the stage: nothing here may set off a rule -------------------------------

mkdir -p "$stage" "$steps" /tmp/empty /tmp/memory /tmp/agent
for name in su nginx httpd awsagent dpkg useradd shred nc ssh curl runc nsenter crontab vi; do
	ln -s "$actor" "$stage/$name"
done

mkdir -p /root/.ssh /srv
echo 'sshd: accepted' >>/var/log/auth.log
echo 'wget evil' >/root/.bash_history
echo 'hello' >/root/notes
echo '-----BEGIN RSA PRIVATE KEY-----' >/root/key
echo 'hosts' >/tmp/hosts
cp "$actor" /tmp/copy
cp "$actor" /dev/shm/.x
echo 'exit 0' >/dev/shm/.x.sh
ip addr add 198.51.100.7/32 dev lo

id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
cgroup=/sys/fs/cgroup/docker/$id
mkdir /sys/fs/cgroup/docker
echo +pids >/sys/fs/cgroup/docker/cgroup.subtree_control
mkdir "$cgroup"

# A server that is no longer young when its turn comes, at the end.
mkfifo /tmp/fifo
"$stage/nginx" late /etc/shadow /tmp/fifo &
late=$!

# --- the way in ---------------------------------------------------------------

twin 'Directory traversal monitored file read' "$stage/nginx" spawn "$stage/httpd" read /etc/passwd
act 1 'Directory traversal monitored file read' \
	"$stage/nginx" spawn "$stage/httpd" read /tmp/../../etc/passwd

twin 'Run shell untrusted' "$actor" spawn /bin/sh -c :
twin 'Run shell untrusted' "$stage/nginx" spawn "$stage/httpd" nothing
act 1 'Run shell untrusted' "$stage/nginx" spawn /bin/sh -c :

twin 'Redirect STDIN to Network Connection on Host' "$actor" connect 127.0.0.1 4444
twin 'Redirect STDIN to Network Connection on Host' "$actor" pair /bin/sh -c :
act 1 'Redirect STDIN to Network Connection on Host' "$actor" reverse 127.0.0.1 4444 /bin/sh -c :
act 1 'Redirect STDIN to Network Connection on Host' "$actor" reverse ::1 4444 /bin/sh -c :

# --- looking around -----------------------------------------------------------

twin 'Read sensitive file untrusted' cat /etc/hosts
act 1 'Read sensitive file untrusted' cat /etc/shadow

twin 'Search Private Keys or Passwords' grep -r hello /root/notes
twin 'Search Private Keys or Passwords' find /srv -name notes
act 1 'Search Private Keys or Passwords' find /srv -name id_rsa
act 1 'Search Private Keys or Passwords' grep -r 'BEGIN RSA PRIVATE KEY' /root/key

twin 'Find AWS Credentials' find /srv -name config
act 1 'Find AWS Credentials' find /srv -path '*/.aws/credentials'

twin 'Create Symlink Over Sensitive Files' ln -s /etc/hosts /tmp/hosts-link
act 1 'Create Symlink Over Sensitive Files' ln -s /etc/shadow /tmp/notes-link

twin 'Create Hardlink Over Sensitive Files' ln /etc/hosts /var/cache/hosts
act 1 'Create Hardlink Over Sensitive Files' ln /etc/shadow /var/cache/notes

twin 'Sensitive file moved away' mv /var/cache/hosts /var/cache/hosts2
act 1 'Sensitive file moved away' mv /etc/shadow /etc/shadow.old
twin 'Sensitive file moved away' mv /etc/shadow.old /etc/shadow

# --- staying ------------------------------------------------------------------

twin 'Schedule Cron Jobs' "$stage/dpkg" write /etc/cron.d/package
act 1 'Schedule Cron Jobs' "$stage/vi" write /etc/cron.d/beacon
act 1 'Schedule Cron Jobs' "$stage/crontab" nothing

twin 'Adding ssh keys to authorized_keys' "$stage/vi" write /root/.ssh/config
act 1 'Adding ssh keys to authorized_keys' "$stage/vi" write /root/.ssh/authorized_keys

twin 'User mgmt binaries' "$stage/dpkg" spawn "$stage/useradd" nothing
act 1 'User mgmt binaries' "$stage/useradd" nothing

twin 'Set Setuid or Setgid bit' chmod 0755 /tmp/copy
act 1 'Set Setuid or Setgid bit' chmod 4755 /tmp/copy
act 1 'Set Setuid or Setgid bit' "$actor" fchmod 2755 /tmp/copy

twin 'Create files below dev' "$actor" write /dev/null
twin 'Create files below dev' "$actor" write /dev/shm/notes
act 1 'Create files below dev' "$actor" write /dev/.cache
act 1 'Create files below dev' "$actor" creat /dev/.store

# --- running unseen -----------------------------------------------------------

twin 'Fileless execution via memfd_create' /tmp/copy nothing
act 1 'Fileless execution via memfd_create' "$actor" memory at "$actor" nothing
act 1 'Fileless execution via memfd_create' "$actor" memory proc "$actor" nothing

twin 'Execution from /dev/shm' /tmp/copy nothing
act 1 'Execution from /dev/shm' /dev/shm/.x nothing
act 1 'Execution from /dev/shm' /bin/sh /dev/shm/.x.sh

twin 'PTRACE attached to process' "$actor" signal
act 1 'PTRACE attached to process' "$actor" attach

twin 'PTRACE anti-debug attempt' "$actor" nothing
act 1 'PTRACE anti-debug attempt' "$actor" traceme

twin 'Change thread namespace' "$stage/nsenter" setns
act 1 'Change thread namespace' "$actor" setns

twin 'BPF Program Not Profiled' "$actor" bpf-map
act 1 'BPF Program Not Profiled' "$actor" bpf-load

twin 'Disallowed SSH Connection Non Standard Port' "$stage/ssh" connect 198.51.100.7 22
twin 'Disallowed SSH Connection Non Standard Port' "$stage/curl" connect 198.51.100.7 443
act 1 'Disallowed SSH Connection Non Standard Port' "$stage/ssh" connect 198.51.100.7 443

# --- in a container, and out of it --------------------------------------------

twin 'Terminal shell in container' container "$stage/runc" spawn /bin/sh -c :
twin 'Terminal shell in container' "$stage/runc" terminal /bin/sh -c :
act 1 'Terminal shell in container' container "$stage/runc" terminal /bin/sh -c :

twin 'Netcat Remote Code Execution in Container' container "$stage/curl" -e /bin/sh 127.0.0.1 4444
act 1 'Netcat Remote Code Execution in Container' container "$stage/nc" -e /bin/sh 127.0.0.1 4444

twin 'Redirect STDOUT/STDIN to Network Connection in Container' container "$actor" pair /bin/sh -c :
act 3 'Redirect STDOUT/STDIN to Network Connection in Container' \
	container "$actor" reverse 127.0.0.1 4444 /bin/sh -c :
act 3 'Redirect STDOUT/STDIN to Network Connection in Container' \
	container "$actor" reverse ::1 4444 /bin/sh -c :

twin 'Packet socket created in container' container "$actor" datagram
twin 'Packet socket created in container' "$actor" packet
act 1 'Packet socket created in container' container "$actor" packet

twin 'Change namespace privileges via unshare' container "$actor" unshare-uts
twin 'Change namespace privileges via unshare' "$stage/su" user 65534 "$actor" unshare
act 1 'Change namespace privileges via unshare' container "$stage/su" user 65534 "$actor" unshare

twin 'Detect release_agent File Container Escapes' "$actor" write /tmp/agent/release_agent
act 1 'Detect release_agent File Container Escapes' container "$actor" write /tmp/agent/release_agent

twin 'Unexpected use of io_uring' "$actor" nothing
act 1 'Unexpected use of io_uring' "$actor" io-uring

twin 'Linux Kernel Module Injection Detected' "$actor" module
act 1 'Linux Kernel Module Injection Detected' container "$actor" module

# --- leaving no trace ---------------------------------------------------------

twin 'Mount over system directory' mount -t tmpfs tmpfs /tmp/memory
sleep 1000 &
act 1 'Mount over system directory' hide $!
act 1 'Mount over system directory' mount -o bind /tmp/hosts /etc/hosts

twin 'Clear Log Activities' "$actor" append /var/log/auth.log
act 1 'Clear Log Activities' "$actor" truncate /var/log/auth.log
act 1 'Clear Log Activities' empty_log /var/log/auth.log

twin 'Delete or rename shell history' rm /root/notes
act 1 'Delete or rename shell history' rm /root/.bash_history

twin 'Remove Bulk Data from Disk' rm /tmp/hosts-link
act 1 'Remove Bulk Data from Disk' "$stage/shred" nothing

twin 'Read sensitive file trusted after startup' "$stage/nginx" read /etc/hosts
sleep 6 # a start may take five seconds by that rule
wake() {
	echo >/tmp/fifo
	wait $late
}
act 1 'Read sensitive file trusted after startup' wake

# --- the curtain --------------------------------------------------------------

umount /etc/hosts
umount "/proc/$!"
kill $!
umount /tmp/memory
exit $status
