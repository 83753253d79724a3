# SPDX-License-Identifier: Apache-2.0
#
# Every stable rule has an act here, played with the tools that an intruder finds
# on the machine, and a twin: a harmless likeness that sets off nothing.
#
#	act N RULE COMMAND …    RULE fires N times and nothing else does
#	twin RULE COMMAND …     nothing fires

[ "$BASH_VERSION" ] || exec bash "$0"
. /files/play.sh

act() { step "$1 $2" "${@:3}"; }
twin() { step "0 $1" "${@:2}"; }

# --- files that are read -------------------------------------------------------

twin 'Directory traversal monitored file read' web /hello
twin 'Directory traversal monitored file read' web /../../tmp/hosts
act 1 'Directory traversal monitored file read' web /../../etc/passwd
act 1 'Directory traversal monitored file read' web /../../etc/missing

twin 'Read sensitive file trusted after startup' web '/file?/etc/hosts'
act 1 'Read sensitive file trusted after startup' web '/file?/etc/shadow'

twin 'Read sensitive file untrusted' cat /etc/passwd
twin 'Read sensitive file untrusted' passwd -S root
act 1 'Read sensitive file untrusted' cat /etc/shadow
act 1 'Read sensitive file untrusted' python 'open("/etc/sudoers")'

twin 'Search Private Keys or Passwords' grep -r hello /root/notes
twin 'Search Private Keys or Passwords' find /root -name notes
act 1 'Search Private Keys or Passwords' grep -r 'BEGIN RSA PRIVATE KEY' /root/key
act 1 'Search Private Keys or Passwords' find /root -name id_rsa

twin 'Find AWS Credentials' find /root/.aws -name config
twin 'Find AWS Credentials' may grep -r aws_region /root/notes
act 1 'Find AWS Credentials' find /root -path '*/.aws/credentials'
act 1 'Find AWS Credentials' may grep -r aws_secret_access_key /root/notes

twin 'Create Symlink Over Sensitive Files' ln -s /etc/hosts /tmp/hosts-link
act 1 'Create Symlink Over Sensitive Files' ln -s /etc/shadow /tmp/notes-link
act 1 'Create Symlink Over Sensitive Files' python 'import os; os.symlink("/etc", "/tmp/folder-link")'

twin 'Create Hardlink Over Sensitive Files' ln /etc/hosts /var/cache/hosts
act 1 'Create Hardlink Over Sensitive Files' ln /etc/shadow /var/cache/notes

twin 'Sensitive file moved away' mv /var/cache/hosts /var/cache/hosts2
act 1 'Sensitive file moved away' mv /etc/gshadow /etc/gshadow.old
twin 'Sensitive file moved away' mv /etc/gshadow.old /etc/gshadow

# --- files that are written ----------------------------------------------------

release_agent() { bash -c 'echo /tmp/tool >/tmp/agent/release_agent'; }
twin 'Detect release_agent File Container Escapes' release_agent
act 1 'Detect release_agent File Container Escapes' \
	in_container /bin/bash -c 'echo /tmp/tool >/tmp/agent/release_agent'

append() { echo line >>/var/log/auth.log; }
empty() { : >/var/log/auth.log; }
twin 'Clear Log Activities' append
act 1 'Clear Log Activities' empty
act 1 'Clear Log Activities' cp /dev/null /var/log/audit/audit.log

twin 'Mount over system directory' mount -t tmpfs tmpfs /tmp/empty
sleep 1000 &
victim=$!
act 1 'Mount over system directory' mount --bind /tmp/agent /proc/$victim
act 1 'Mount over system directory' mount --bind /tmp/hosts /etc/hosts
umount /proc/$victim /etc/hosts

# --- programs that run ---------------------------------------------------------

memfd='
import os, sys
fd = os.memfd_create("x")
os.write(fd, open("/bin/true", "rb").read())
os.execve(fd if sys.argv[1] == "at" else "/proc/self/fd/%d" % fd, ["x"], {})'
twin 'Fileless execution via memfd_create' python 'import os; os.execv("/bin/true", ["x"])'
act 1 'Fileless execution via memfd_create' python "$memfd" at
act 1 'Fileless execution via memfd_create' python "$memfd" proc

twin 'Execution from /dev/shm' /tmp/tool
twin 'Execution from /dev/shm' cat /dev/shm/tool.sh
act 1 'Execution from /dev/shm' /dev/shm/tool
act 1 'Execution from /dev/shm' bash /dev/shm/tool.sh

twin 'Drop and execute new binary in container' in_container /tmp/layer/root/shipped
twin 'Drop and execute new binary in container' /tmp/layer/root/dropped
act 1 'Drop and execute new binary in container' in_container /tmp/layer/root/dropped

twin 'Netcat Remote Code Execution in Container' may in_container /bin/nc.traditional -z 127.0.0.1 4444
twin 'Netcat Remote Code Execution in Container' may nc.traditional -e /bin/true 127.0.0.1 4445
act 1 'Netcat Remote Code Execution in Container' may in_container /bin/nc.traditional -e /bin/true 127.0.0.1 4445
act 1 'Netcat Remote Code Execution in Container' may in_container /usr/bin/ncat --exec /bin/true 127.0.0.1 4445

twin 'Debugfs Launched in Privileged Container' in_container /sbin/debugfs -V
twin 'Debugfs Launched in Privileged Container' in_privileged /sbin/dumpe2fs -V
act 1 'Debugfs Launched in Privileged Container' in_privileged /sbin/debugfs -V

twin 'Terminal shell in container' in_container $stage/runc spawn /bin/bash -c :
twin 'Terminal shell in container' $stage/runc terminal /bin/bash -c :
act 1 'Terminal shell in container' in_container $stage/runc terminal /bin/bash -c :

twin 'Run shell untrusted' bash -c 'sh -c :'
twin 'Run shell untrusted' web '/run?/bin/true'
act 1 'Run shell untrusted' web '/cgi?id'

twin 'System user interactive' $actor user 65534 /bin/true
twin 'System user interactive' $stage/sshd spawn /bin/true
act 1 'System user interactive' $stage/sshd spawn $actor user 65534 /bin/true

twin 'Remove Bulk Data from Disk' rm /tmp/hosts-link
act 1 'Remove Bulk Data from Disk' shred /tmp/bulk
act 1 'Remove Bulk Data from Disk' mkfs.ext4 -q -F /tmp/disk

# --- the network ---------------------------------------------------------------

reverse='
import os, socket, sys
s = socket.create_connection((sys.argv[1], 4444))
for fd in range(3):
    os.dup2(s.fileno(), fd)
os.execv("/bin/true", ["x"])'
pair='
import os, socket
a, b = socket.socketpair()
for fd in range(3):
    os.dup2(a.fileno(), fd)
os.execv("/bin/true", ["x"])'
in_python() { in_container /usr/bin/python3 -c "$@"; }
twin 'Redirect STDOUT/STDIN to Network Connection in Container' in_python "$pair"
act 3 'Redirect STDOUT/STDIN to Network Connection in Container' in_python "$reverse" 127.0.0.1
act 3 'Redirect STDOUT/STDIN to Network Connection in Container' \
	in_container /bin/bash -c 'exec /bin/true >&/dev/tcp/127.0.0.1/4444 0>&1'

twin 'Redirect STDIN to Network Connection on Host' python "$pair"
twin 'Redirect STDIN to Network Connection on Host' web /hello
act 1 'Redirect STDIN to Network Connection on Host' python "$reverse" 127.0.0.1
act 1 'Redirect STDIN to Network Connection on Host' bash -c 'exec /bin/true >&/dev/tcp/127.0.0.1/4444 0>&1'

secure() { may timeout 3 ssh -o ConnectTimeout=1 -p "$1" nobody@198.51.100.7; }
twin 'Disallowed SSH Connection Non Standard Port' secure 22
twin 'Disallowed SSH Connection Non Standard Port' may curl -s -m 1 http://198.51.100.7:443
act 1 'Disallowed SSH Connection Non Standard Port' secure 443

twin 'Contact K8S API Server From Container' may in_container /usr/bin/curl -s -m 1 http://10.96.0.2:443
twin 'Contact K8S API Server From Container' may curl -s -m 1 http://10.96.0.1:443
act 1 'Contact K8S API Server From Container' may in_container /usr/bin/curl -s -m 1 http://10.96.0.1:443

packet='import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)'
twin 'Packet socket created in container' in_python 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'
twin 'Packet socket created in container' python "$packet"
act 1 'Packet socket created in container' in_python "$packet"

# --- the kernel and other processes --------------------------------------------

twin 'PTRACE attached to process' $actor signal
act 1 'PTRACE attached to process' $actor attach

twin 'PTRACE anti-debug attempt' $actor nothing
act 1 'PTRACE anti-debug attempt' $actor traceme

twin 'Linux Kernel Module Injection Detected' $actor module
act 1 'Linux Kernel Module Injection Detected' in_container $actor module

uring='
import ctypes, sys
libc = ctypes.CDLL(None)
if libc.syscall(int(sys.argv[1]), 4, ctypes.create_string_buffer(256)) < 0:
    sys.exit(1)'
twin 'Unexpected use of io_uring' python "$uring" 39
act 1 'Unexpected use of io_uring' python "$uring" 425

# --- users ---------------------------------------------------------------------

twin 'User mgmt binaries' id root
twin 'User mgmt binaries' in_container /usr/sbin/useradd --help
act 1 'User mgmt binaries' useradd intruder

kill $victim
umount /tmp/empty
exit $status
