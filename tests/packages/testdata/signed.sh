# SPDX-License-Identifier: Apache-2.0
#
# What happens after boot.sh on a kernel that takes signed modules only, as one does under Secure Boot. The module that is
# installed was signed by DKMS with a key that the kernel knows; /root/unsigned.ko is the same without its signature.

[ "$(cat /sys/module/module/parameters/sig_enforce)" = Y ] && echo "signed: enforced"
[ ! -e /sys/kernel/btf ] && echo "signed: no BTF"
echo "signed: by $(modinfo -F signer falco)"

systemctl stop falco-kmod
cp /root/unsigned.ko "$(modinfo -n falco)"
systemctl start falco-kmod 2>&1 && echo "WRONG: it took an unsigned module"
falco driver load 2>&1
echo "unsigned: rc $?"
falco doctor | grep -A1 -E 'lockdown|module '
/var/lib/dpkg/info/falco.postinst configure "$OLDER" 2>&1
echo "unsigned: configured $?"
echo "unsigned: enabled $(systemctl is-enabled falco-kmod), $(dpkg-query -W -f '${db:Status-Status}' falco)"
step end
