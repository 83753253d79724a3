# SPDX-License-Identifier: Apache-2.0
#
# An ordinary day of a Debian machine: it boots, and then what people do comes
# ROUNDS times over. What is done is counted at the end: "did N what".

[ "$BASH_VERSION" ] || exec bash "$0"
declare -A count
status=0

# do WHAT COMMAND …
do_() {
	local what=$1
	shift
	if "$@" </dev/null >/tmp/said 2>&1; then
		count[$what]=$((${count[$what]:-0} + 1))
	else
		echo "$what did not come off: $*"
		tail -5 /tmp/said
		status=1
	fi
}

packages='bc tree sqlite3 acl'

build_package() {
	rm -rf /root/build && mkdir -p /root/build/ordinary/debian && cd /root/build/ordinary || return
	printf '#include <stdio.h>\nint main(void) { puts("ordinary"); return 0; }\n' >ordinary.c
	printf 'ordinary: ordinary.c\n\tgcc -O2 -o $@ $<\n' >Makefile
	printf 'ordinary (1) unstable; urgency=low\n\n  * A release.\n\n -- Nobody <nobody@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n' >debian/changelog
	printf 'Source: ordinary\nMaintainer: Nobody <nobody@example.org>\n\nPackage: ordinary\nArchitecture: any\nDescription: ordinary\n' >debian/control
	cat >debian/rules <<'END'
#!/usr/bin/make -f
build build-arch: ; $(MAKE) ordinary
clean: ; rm -rf ordinary debian/tmp debian/files
binary binary-arch: build
	mkdir -p debian/tmp/usr/bin debian/tmp/DEBIAN
	install -m 755 ordinary debian/tmp/usr/bin/
	dpkg-gencontrol -Pdebian/tmp
	dpkg-deb --root-owner-group --build debian/tmp ..
END
	chmod +x debian/rules
	dpkg-buildpackage -b -uc -us -d
}

install_built() { dpkg -i /root/build/ordinary_1_*.deb && ordinary && dpkg -P ordinary; }

web_load() { for _ in $(seq 200); do curl -s -o /dev/null http://127.0.0.1/ || return; done; }

database_load() {
	mariadb -e 'create database if not exists day; create table if not exists day.t (i int primary key auto_increment, s text);' || return
	for _ in $(seq 20); do
		mariadb day -e 'insert into t (s) values (repeat("x", 1000)); insert into t (s) select s from t limit 50; select count(*), max(length(s)) from t; update t set s = "y" where i % 7 = 0;' || return
	done
	mariadb-dump day >/tmp/dump.sql && mariadb -e 'drop database day'
}

key=/root/.ssh/id_ed25519
log_in() { ssh -o StrictHostKeyChecking=no -o BatchMode=yes -i $key "$1@127.0.0.1" 'id; ls -l; cat /etc/os-release; uname -a'; }
copy() { scp -o StrictHostKeyChecking=no -i $key /etc/hosts root@127.0.0.1:/tmp/copied; }
rotate() { logger -t day 'a line'; echo line >>/var/log/day.log; logrotate -f /etc/logrotate.conf; }

# booted waits until everything that is enabled runs.
booted() {
	for _ in $(seq 300); do
		case $(systemctl is-system-running) in
		running) return ;;
		degraded)
			systemctl --failed --no-pager
			return 1
			;;
		esac
		sleep 1
	done
	systemctl list-jobs --no-pager
	return 1
}
do_ 'boot' booted

# Cron's own minute: what it runs leaves a mark.
echo '* * * * * root date >>/tmp/cron.mark' >/etc/cron.d/day

for round in $(seq "${ROUNDS:-1}"); do
	do_ 'package index' apt-cache policy bash
	do_ 'package installed' apt-get install -y --no-download --no-install-recommends $packages
	do_ 'package used' sh -c 'echo 1+1 | bc && tree / -L 1 && sqlite3 /tmp/day.db "create table if not exists a(b)" && getfacl /tmp'
	do_ 'package removed' apt-get purge -y $packages
	do_ 'package built' build_package
	cd /root
	do_ 'built package installed' install_built
	do_ 'web requests' web_load
	do_ 'database queries' database_load
	for _ in 1 2 3 4 5; do
		do_ 'log-in' log_in root
		do_ 'log-in of a user' log_in joe
	done
	do_ 'copy' copy
	do_ 'logs rotated' rotate
	do_ 'daily jobs' run-parts /etc/cron.daily
	do_ 'user changed' su -l -c 'id; ls' joe
	do_ 'sudo' sudo -n id
	do_ 'password' sh -c 'echo joe:secret-$$ | chpasswd'
	do_ 'services restarted' systemctl restart nginx mariadb ssh cron systemd-journald systemd-logind
	do_ 'systemd' systemctl daemon-reexec
	do_ 'temporary files' systemd-tmpfiles --create --clean
	do_ 'service status' systemctl status nginx mariadb ssh cron
	do_ 'journal' journalctl --no-pager -n 20
	do_ 'archive' tar -czf /tmp/etc.tar.gz --exclude=shadow --exclude=shadow- --exclude=gshadow --exclude=gshadow- --exclude=sudoers --exclude=sudoers.d --exclude=pam.d --exclude=pam.conf --exclude=opasswd --exclude=pwquality.conf /etc
	do_ 'search' sh -c 'grep -r nginx /etc/nginx; find /usr/share -name "*.txt"'
done

for _ in $(seq 70); do
	[ -s /tmp/cron.mark ] && break
	sleep 1
done
do_ 'cron' test -s /tmp/cron.mark

for what in "${!count[@]}"; do
	echo "did ${count[$what]} $what"
done
exit $status
