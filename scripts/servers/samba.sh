#!/bin/bash
# Throw-away Samba domain controller for tests (root; Debian 12: apt-get install --no-install-recommends
#   samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules ldb-tools).
# LDAP 389 / LDAPS 636 are hard-coded in Samba, so it binds to a private loopback ADDRESS, not a private port.
#   samba.sh start DIR [IP]   |   samba.sh grant DIR   |   samba.sh stop DIR
# `grant` gives CORP\tiergate, which must exist, exactly the rights that docs/connectors/ldap.md names.
set -euo pipefail
CMD=$1
D=$2
IP=${3:-127.0.77.1}
REALM=CORP.EXAMPLE.TEST
DOM=CORP
BASE=DC=corp,DC=example,DC=test
ADMINPW='Adm1n-Passw0rd!'

wait_for_port() {
  for _ in $(seq 300); do
    if (echo >"/dev/tcp/$IP/636") 2>/dev/null; then return 0; fi
    kill -0 "$(cat "$D/pid")" || return 1
    sleep .1
  done
  return 1
}

case $CMD in
start)
  rm -rf "$D"
  mkdir -p "$D/etc" "$D/run" "$D/log"
  : >"$D.empty.conf"
  samba-tool domain provision -s "$D.empty.conf" --realm=$REALM --domain=$DOM --server-role=dc --dns-backend=NONE \
    --adminpass="$ADMINPW" --host-ip="$IP" --host-name=dc1 --targetdir="$D" >"$D.provision.log" 2>&1 \
    || { tail -5 "$D.provision.log" >&2; exit 1; }
  # Only the services the tests need, bound to one loopback address.
  sed -i "/server services = s3fs/d" "$D/etc/smb.conf"
  sed -i "/^\[global\]/a\\
\tinterfaces = $IP/8\\
\tbind interfaces only = yes\\
\tserver services = ldap, cldap, kdc, rpc\\
\tdcerpc endpoint servers = -winreg -srvsvc\\
\tpid directory = $D/run\\
\tncalrpc dir = $D/run/ncalrpc\\
\tlogging = file\\
\tlog file = $D/log/samba.log\\
\tdisable netbios = yes" "$D/etc/smb.conf"
  setsid samba --foreground --no-process-group -M single -s "$D/etc/smb.conf" >"$D/log/out" 2>&1 </dev/null &
  echo $! >"$D/pid"
  wait_for_port || { tail -5 "$D/log/out" "$D/log/samba.log" >&2; exit 1; }
  samba-tool domain passwordsettings set --min-pwd-age=0 --account-lockout-threshold=3 \
    --account-lockout-duration=30 -s "$D/etc/smb.conf" >/dev/null
  ;;
grant)
  SID=$(samba-tool user show tiergate --attributes=objectSid -s "$D/etc/smb.conf" | sed -n 's/^objectSid: //p')
  PERSON=bf967aba-0de6-11d0-a285-00aa003049e2 # class user
  GROUP=bf967a9c-0de6-11d0-a285-00aa003049e2  # class group
  acl() { samba-tool dsacl set -s "$D/etc/smb.conf" --objectdn="$1" --sddl="$2" >/dev/null; }
  # Reset password (control access), pwdLastSet, lockoutTime, userAccountControl; member of groups.
  acl "OU=people,$BASE" "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;$PERSON;$SID)"
  acl "OU=people,$BASE" "(OA;CIIO;RPWP;bf967a0a-0de6-11d0-a285-00aa003049e2;$PERSON;$SID)"
  acl "OU=people,$BASE" "(OA;CIIO;RPWP;28630ebf-41d5-11d1-a9c1-0000f80367c1;$PERSON;$SID)"
  acl "OU=people,$BASE" "(OA;CIIO;RPWP;bf967a68-0de6-11d0-a285-00aa003049e2;$PERSON;$SID)"
  # The service account that lives among the people is none of its business.
  for RIGHT in "CR;00299570-246d-11d0-a768-00aa006e0529" "WP;bf967a0a-0de6-11d0-a285-00aa003049e2" \
    "WP;28630ebf-41d5-11d1-a9c1-0000f80367c1" "WP;bf967a68-0de6-11d0-a285-00aa003049e2"; do
    acl "CN=Backup Service,OU=people,$BASE" "(OD;;$RIGHT;;$SID)"
  done
  acl "OU=groups,$BASE" "(OA;CIIO;RPWP;bf9679c0-0de6-11d0-a285-00aa003049e2;$GROUP;$SID)"
  ;;
stop)
  PID=$(cat "$D/pid")
  kill "$PID" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$PID" 2>/dev/null || exit 0; sleep .1; done
  exit 1
  ;;
*) echo "usage: samba.sh start|grant|stop DIR [IP]" >&2; exit 2 ;;
esac
