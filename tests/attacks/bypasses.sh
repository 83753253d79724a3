# SPDX-License-Identifier: Apache-2.0
#
# Published ways around rules of this kind, played again. Each names the rule
# that has to see it; a way that still works is in rules/README.md by its name.
#
#	bypass NAME RULE COMMAND …

[ "$BASH_VERSION" ] || exec bash "$0"
. /files/play.sh

bypass() { step "$1 = $2" "${@:3}"; }

secrets='Read sensitive file untrusted'
elsewhere='Sensitive file read under another name'
shm='Execution from /dev/shm'
shell='Run shell untrusted'
stdin='Redirect STDIN to Network Connection on Host'
streams='Redirect STDOUT/STDIN to Network Connection in Container'

ctypes='
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    r = libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    if r < 0:
        sys.exit("call %d: %s" % (number, os.strerror(ctypes.get_errno())))
    return r
'

# --- twin calls ----------------------------------------------------------------

bypass openat2 "$secrets" python "$ctypes"'
how = ctypes.create_string_buffer(24)
call(437, -100, b"/etc/shadow", how, 24)'
bypass open_by_handle_at "$secrets" python "$ctypes"'
handle = ctypes.create_string_buffer(bytes([128, 0, 0, 0]) + bytes(140))
mount = ctypes.c_int()
call(303, -100, b"/etc/shadow", handle, ctypes.byref(mount), 0)
root = os.open("/", os.O_RDONLY)
call(304, root, handle, os.O_RDONLY)'
bypass 'openat with a folder' "$secrets" python 'import os; os.open("shadow", os.O_RDONLY, dir_fd=os.open("/etc", os.O_RDONLY))'
bypass 'O_PATH first' "$secrets" python 'import os; os.open("/proc/self/fd/%d" % os.open("/etc/shadow", os.O_PATH), os.O_RDONLY)'
cat >/tmp/execveat.py <<-'END'
	import ctypes
	libc = ctypes.CDLL(None)
	argv = (ctypes.c_char_p * 4)(b"sh", b"-c", b":", None)
	libc.syscall(322, -100, b"/bin/sh", argv, None, 0)
END
bypass execveat "$shell" web '/fork?/tmp/execveat.py'
bypass 'execveat from memory' 'Fileless execution via memfd_create' python "$ctypes"'
fd = os.memfd_create("x", 0)
os.write(fd, open("/bin/true", "rb").read())
argv = (ctypes.c_char_p * 2)(b"x", None)
call(322, fd, b"", argv, None, 0x1000)'
bypass renameat2 'Sensitive file moved away' python "$ctypes"'
call(316, -100, b"/etc/gshadow", -100, b"/etc/x", 0)'
mv /etc/x /etc/gshadow
bypass 'renameat2, exchange' 'Sensitive file moved away' python "$ctypes"'
open("/etc/y", "w").close()
call(316, -100, b"/etc/gshadow", -100, b"/etc/y", 2)'
mv /etc/y /etc/gshadow
bypass 'io_uring' 'Unexpected use of io_uring' python "$ctypes"'
call(425, 4, ctypes.create_string_buffer(256))'
bypass 'creat' 'Clear Log Activities' python "$ctypes"'
call(85, b"/var/log/auth.log", 0o644)'
bypass 'truncate' 'Clear Log Activities' truncate -s 0 /var/log/syslog
bypass 'truncate(2)' 'Clear Log Activities' python 'import os; os.truncate("/var/log/auth.log", 0)'
bypass 'removal' 'Clear Log Activities' rm /var/log/syslog
bypass 'renaming' 'Clear Log Activities' mv /var/log/auth.log /tmp/a
bypass 'process_vm_writev' 'PTRACE attached to process' python "$ctypes"'
word = ctypes.create_string_buffer(b"12345678")
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
child = os.fork()
if child == 0:
    import time; time.sleep(30)
v = iovec(ctypes.addressof(word), 8)
call(311, child, ctypes.byref(v), 1, ctypes.byref(v), 1, 0)
os.kill(child, 9)'
bypass '/proc/PID/mem' 'PTRACE attached to process' python '
import os, time
child = os.fork()
if child == 0:
    time.sleep(30)
open("/proc/%d/mem" % child, "r+b").close()
os.kill(child, 9)'
bypass 'fcntl for dup' "$stdin" python '
import fcntl, os, socket
s = socket.create_connection(("127.0.0.1", 4444))
os.close(0)
fcntl.fcntl(s, fcntl.F_DUPFD, 0)'
bypass 'socket in the place of stdin' "$stdin" python '
import os, socket
os.close(0)
s = socket.socket()
s.connect(("127.0.0.1", 4444))'
bypass 'accept in the place of stdin' "$stdin" python '
import os, socket
l = socket.create_server(("127.0.0.1", 4666))
c = socket.create_connection(("127.0.0.1", 4666))
os.close(0)
l.accept()'
bypass 'fcntl for dup, in a container' "$streams" in_container /usr/bin/python3 -c '
import fcntl, os, socket
s = socket.create_connection(("127.0.0.1", 4444))
os.close(1)
fcntl.fcntl(s, fcntl.F_DUPFD, 0)'
bypass 'SOCK_PACKET' 'Packet socket created in container' may in_container /usr/bin/python3 -c '
import socket; socket.socket(socket.AF_INET, 10, 0x300)'

# --- 32-bit callers --------------------------------------------------------------

bypass '32 bits: open' "$secrets" $actor32 read /etc/shadow
bypass '32 bits: creat' 'Clear Log Activities' $actor32 creat /var/log/auth.log
bypass '32 bits: execve' "$shell" web "/run?$actor32%20spawn%20/bin/sh%20-c%20:"
bypass '32 bits: memfd' 'Fileless execution via memfd_create' $actor32 memory at $actor32 nothing
bypass '32 bits: ptrace' 'PTRACE attached to process' $actor32 attach
bypass '32 bits: dup2' "$stdin" $actor32 reverse 127.0.0.1 4777 /bin/true
bypass '32 bits: packet socket' 'Packet socket created in container' in_container $actor32 packet
bypass '32 bits: init_module' 'Linux Kernel Module Injection Detected' in_container $actor32 module

# --- other names of a file ---------------------------------------------------------

bypass '/proc/self/root' "$secrets" cat /proc/self/root/etc/shadow
bypass '/proc/self/root twice' "$secrets" cat /proc/self/root/proc/self/root/etc/shadow
bypass '/proc/1/root' "$secrets" cat /proc/1/root/etc/shadow
bypass '/proc/self/cwd' "$secrets" bash -c 'cd /etc && cat /proc/self/cwd/shadow'
bypass '/dev/fd' "$secrets" bash -c 'cat /dev/fd/9/shadow 9</etc'
bypass '/proc/self/root, sudoers.d' "$secrets" cat /proc/self/root/etc/sudoers.d/README
bypass 'dots and slashes' "$secrets" cat //etc/./..//etc///shadow
bypass 'long path' "$secrets" python 'open("/" + "./" * 2000 + "etc/shadow")'
bypass 'symbolic link' 'Create Symlink Over Sensitive Files' ln -s /etc/shadow /tmp/l1
bypass 'symbolic link, padded' 'Create Symlink Over Sensitive Files' ln -s /etc//./shadow /tmp/l2
bypass 'symbolic link, relative' 'Create Symlink Over Sensitive Files' ln -s ../etc/shadow /tmp/l3
bypass 'symbolic link, by /proc' 'Create Symlink Over Sensitive Files' ln -s /proc/self/root/etc/shadow /tmp/l4
bypass 'linked folder' 'Create Symlink Over Sensitive Files' ln -s /etc /tmp/l5
bypass 'linked folder, padded' 'Create Symlink Over Sensitive Files' ln -s /etc/. /tmp/l6
bypass 'linked folder, relative' 'Create Symlink Over Sensitive Files' ln -s ../etc /tmp/l7
bypass 'linked folder of /' 'Create Symlink Over Sensitive Files' ln -s / /tmp/l8
bypass 'read through a link' "$elsewhere" cat /tmp/l3
bypass 'read through a linked folder' "$elsewhere" cat /tmp/l7/shadow
bypass 'read through a folder of links' "$elsewhere" cat /tmp/l8/etc/shadow
bypass 'log emptied through a link' 'Log emptied under another name' bash -c 'ln -s /var/log /tmp/l9; : >/tmp/l9/day.log'
bypass 'hard link' 'Create Hardlink Over Sensitive Files' ln /etc/shadow /var/tmp/h1
bypass 'hard link, padded' 'Create Hardlink Over Sensitive Files' ln /etc/.//shadow /var/tmp/h2
bypass 'hard link, relative' 'Create Hardlink Over Sensitive Files' bash -c 'cd /etc && ln shadow /var/tmp/h3'
bypass 'bind mount of a folder' 'Mount over system directory' mount --bind /etc /tmp/empty
umount /tmp/empty
bypass 'bind mount over a program' 'Mount over system directory' mount --bind /bin/true /usr/bin/w
umount /usr/bin/w
bypass 'moved away' 'Sensitive file moved away' mv /etc/gshadow /etc/g
mv /etc/g /etc/gshadow

# --- other names of a program --------------------------------------------------------

cp /bin/cat /tmp/sshd
mkdir /tmp/n
ln -s /bin/cat /tmp/n/systemd
ln -s /bin/bash /tmp/n/update
ln -s /usr/bin/ssh /tmp/n/curl
cp /usr/bin/find /tmp/n/ls
bypass 'copy with a trusted name' "$secrets" /tmp/sshd /etc/shadow
bypass 'link with a trusted name' "$secrets" /tmp/n/systemd /etc/shadow
bypass 'trusted name, taken later' "$secrets" python "$ctypes"'
libc.prctl(15, b"sshd", 0, 0, 0)
open("/etc/pam.conf")'
bypass 'trusted argv[0]' "$secrets" bash -c 'exec -a sshd cat /etc/shadow'
bypass 'trusted program, told to' "$secrets" may su -s /bin/true nobody /etc/shadow /etc/sudoers
bypass 'built-in of a shell' "$secrets" bash -c 'read -r line </etc/shadow'
bypass 'arguments of ansible' "$secrets" python 'open("/etc/shadow")' /root/.ansible/tmp/ansible-tmp-1
bypass 'link to a shell' "$shell" web '/run?/tmp/n/update%20-c%20:'
bypass 'busybox as a shell' "$shell" web '/run?/bin/busybox%20sh%20-c%20:'
cp /bin/bash /usr/local/bin/update
bypass 'copy of a shell' "$shell" web '/run?/usr/local/bin/update%20-c%20:'
bypass 'link to ssh' 'Disallowed SSH Connection Non Standard Port' may timeout 4 /tmp/n/curl -o ConnectTimeout=1 -p 443 nobody@198.51.100.7
bypass 'copy of find' 'Search Private Keys or Passwords' /tmp/n/ls /root -name id_rsa
bypass 'busybox as grep' 'Search Private Keys or Passwords' busybox grep 'BEGIN RSA PRIVATE KEY' /root/key
bypass 'memfd with the name of runc' 'Fileless execution via memfd_create' python "$ctypes"'
fd = os.memfd_create("runc_cloned:/proc/self/exe", 0)
os.write(fd, open("/bin/true", "rb").read())
os.execve(fd, ["runc"], {})'

# --- arguments ---------------------------------------------------------------------------

padding=$(printf 'x%.0s' {1..9000})
bypass 'padded arguments' 'Search Private Keys or Passwords' may grep -e "$padding" -e 'BEGIN RSA PRIVATE KEY' /root/key
bypass 'pattern for keys' 'Search Private Keys or Passwords' grep -rE 'BEGIN.*PRIVATE' /root/key
bypass 'pattern for names' 'Search Private Keys or Passwords' find /root -name 'id_*'
bypass 'bundled flags' 'Netcat Remote Code Execution in Container' may in_container /bin/nc.traditional -ne /bin/true 127.0.0.1 4445
bypass 'netcat by its other name' 'Netcat Remote Code Execution in Container' may in_container /bin/netcat -e /bin/true 127.0.0.1 4445
bypass 'netcat of busybox' 'Netcat Remote Code Execution in Container' may in_container /bin/busybox nc 127.0.0.1 4445 -e /bin/true
bypass 'mkfs of another kind' 'Remove Bulk Data from Disk' mkfs.ext2 -q -F /tmp/disk
bypass 'dd on a disk' 'Remove Bulk Data from Disk' dd if=/dev/zero of=/dev/sdz count=0

# --- shared memory --------------------------------------------------------------------------

bypass 'shared memory, by the loader' "$shm" /lib64/ld-linux-x86-64.so.2 /dev/shm/tool
bypass 'shared memory, by an interpreter' "$shm" python3 /dev/shm/tool.py
bypass 'shared memory, by a link' "$shm" bash -c 'ln -s /dev/shm/tool /tmp/n/tool; exec /tmp/n/tool'
bypass 'shared memory, from within' "$shm" bash -c 'cd /dev/shm && exec ./tool'
bypass 'shared memory, script from within' "$shm" bash -c 'cd /dev/shm && sh tool.sh'
bypass 'shared memory, by env' "$shm" env /dev/shm/tool
bypass 'shared memory, by /proc' "$shm" /proc/self/root/dev/shm/tool
bypass 'shared memory, as input' "$shm" bash -c 'sh </dev/shm/tool.sh'

# --- set-user-id, by number and otherwise ---------------------------------------------------

setuid='Set Setuid or Setgid bit'
bypass 'setuid by number' "$setuid" chmod 4755 /tmp/tool
bypass 'setuid by number, padded' "$setuid" chmod 0006755 /tmp/tool
bypass 'setuid by letters' "$setuid" chmod u+s /tmp/tool
bypass 'setuid by descriptor' "$setuid" python 'import os; os.fchmod(os.open("/tmp/tool", os.O_RDONLY), 0o4755)'
bypass 'setuid by install' "$setuid" install -m 4755 /bin/true /tmp/tool2
bypass 'setuid from the start' "$setuid" python 'import os; os.open("/tmp/tool3", os.O_CREAT | os.O_WRONLY, 0o4755)'
bypass 'setuid, 32 bits' "$setuid" $actor32 fchmod 4755 /tmp/tool
modern() { python "$ctypes"'
r = libc.syscall(452, -100, b"/tmp/tool", 0o4755, 0)
if r < 0 and ctypes.get_errno() != 38:  # no such call here
    sys.exit(1)'; }
bypass 'setuid by fchmodat2' "$setuid" modern

exit $status
