# SPDX-License-Identifier: Apache-2.0
#
# The stage of the plays, built before the daemon comes: what is made here sets
# off nothing, since nobody watches yet.

set -e
actor=/files/actor
mkdir -p /tmp/steps /tmp/stage /tmp/empty /tmp/agent /srv/www /root/.ssh /root/.aws /var/log/audit
chmod 755 /tmp/stage
for name in runc sshd passwd vi; do
	ln -s $actor /tmp/stage/$name
done
ip link set lo up
for ip in 198.51.100.7 10.96.0.1 10.96.0.2; do
	ip addr add $ip/32 dev lo
done
cat >>/etc/hosts <<-END
	10.96.0.1 kubernetes.default.svc.cluster.local
END

echo hello >/srv/www/hello
echo hello >/root/notes
echo hosts >/tmp/hosts
echo 'sshd: accepted' | tee /var/log/auth.log /var/log/syslog /var/log/day.log >/var/log/audit/audit.log
echo '-----BEGIN RSA PRIVATE KEY-----' >/root/key
echo 'hello' >/tmp/log
echo 'hello' >/tmp/bulk
dd if=/dev/zero of=/tmp/disk bs=1M count=4 status=none
cp /bin/true /tmp/tool
cp /bin/true /dev/shm/tool
echo 'exit 0' >/dev/shm/tool.sh
echo 'pass' >/dev/shm/tool.py
chmod 755 /dev/shm/tool /dev/shm/tool.sh

# A container is a control group to those who watch; what docker would tell of
# it, docker.py tells. Ids that begin with f are privileged.
for id in 0123456789abcdef f123456789abcdef; do
	mkdir -p /sys/fs/cgroup/docker
	echo +pids >/sys/fs/cgroup/docker/cgroup.subtree_control
	mkdir /sys/fs/cgroup/docker/${id}0123456789abcdef0123456789abcdef0123456789abcdef
done
mkdir -p /tmp/layer
mount -t tmpfs tmpfs /tmp/layer
mkdir /tmp/layer/image /tmp/layer/written /tmp/layer/work /tmp/layer/root
cp /bin/true /tmp/layer/image/shipped
modprobe overlay
mount -t overlay overlay -o lowerdir=/tmp/layer/image,upperdir=/tmp/layer/written,workdir=/tmp/layer/work /tmp/layer/root
cp /bin/true /tmp/layer/root/dropped

# A web server called nginx, with holes.
cp /usr/bin/python3 /usr/local/sbin/nginx
PYTHONHOME=/usr setsid -f /usr/local/sbin/nginx /files/web.py 8080 </dev/null >/dev/null 2>&1
setsid -f python3 /files/docker.py </dev/null >/dev/null 2>&1
# Who takes connections and says nothing.
for at in '127.0.0.1 4444' '198.51.100.7 443' '198.51.100.7 22' '10.96.0.1 443' '10.96.0.2 443'; do
	setsid -f ncat -lk $at </dev/null >/dev/null 2>&1
done
until curl -s 127.0.0.1:8080/hello >/dev/null && [ -S /var/run/docker.sock ]; do
	sleep 0.1
done
# It is no longer young when it is asked for secrets.
sleep 5.5
