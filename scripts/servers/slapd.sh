#!/bin/bash
# Throw-away OpenLDAP for tests: unprivileged user, private loopback port, ppolicy, access log, monitor.
# Debian 12: apt-get install slapd (2.5; the ppolicy schema is built into the overlay since 2.5)
#   slapd.sh start DIR PORT TLSPORT SEED.ldif [RUNAS]  |  slapd.sh stop DIR
# The seed holds dc=example,dc=com with cn=admin (root), ou=people, ou=groups and
# cn=tiergate,ou=services, the account whose rights stand below: docs/connectors/ldap.md explains them.
set -euo pipefail
CMD=$1
D=$2
SUF=dc=example,dc=com
FUL="cn=tiergate,ou=services,$SUF"

as() { if [ "$(id -u)" = 0 ]; then runuser -u "$RUNAS" -- "$@"; else "$@"; fi; }

configuration() {
  cat <<C
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 2.25.121283734573419284123895142367451209481 NAME 'privateMail'
  DESC 'out-of-band address' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 2.25.121283734573419284123895142367451209482 NAME 'tiergatePerson' AUXILIARY MAY privateMail )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_monitor
moduleload ppolicy
moduleload accesslog
pidfile $D/run/slapd.pid
argsfile $D/run/slapd.args
TLSCACertificateFile $D/cert.pem
TLSCertificateFile $D/cert.pem
TLSCertificateKeyFile $D/key.pem
password-hash {SSHA}

database mdb
maxsize 67108864
suffix cn=accesslog
rootdn cn=accesslog
directory $D/log
index reqStart,reqDN,objectClass eq
# Which attribute changed may be asked, what was written may not be read: it holds password hashes.
access to attrs=reqMod,reqOld by dn.exact="$FUL" search by * none
access to * by dn.exact="$FUL" read by * none

database mdb
maxsize 67108864
suffix "$SUF"
rootdn "cn=admin,$SUF"
directory $D/db
index objectClass,uid,member,entryUUID,employeeNumber eq
overlay accesslog
logdb cn=accesslog
logops writes
logsuccess TRUE
overlay ppolicy
ppolicy_default "cn=default,ou=policies,$SUF"
ppolicy_hash_cleartext
ppolicy_use_lockout
access to dn.subtree="ou=people,$SUF" filter="(!(employeeType=service))" attrs=userPassword
  by dn.exact="$FUL" write by self write by anonymous auth by * none
access to attrs=userPassword by self write by anonymous auth by * none
access to dn.subtree="ou=people,$SUF" filter="(!(employeeType=service))" attrs=pwdReset,pwdAccountLockedTime
  by dn.exact="$FUL" manage by users read by * none
access to attrs=privateMail,pwdFailureTime by dn.exact="$FUL" read by self read by * none
access to dn.children="ou=groups,$SUF" attrs=member by dn.exact="$FUL" write by users read by * none
access to * by users read by * none

database monitor
access to dn.subtree="cn=Monitor" by dn.exact="$FUL" read by * none
C
}

policy() {
  cat <<L

dn: ou=policies,$SUF
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,$SUF
objectClass: pwdPolicy
objectClass: organizationalRole
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 3
pwdLockoutDuration: 0
pwdMinLength: 8
pwdCheckQuality: 2
pwdMustChange: TRUE
pwdAllowUserChange: TRUE
L
}

case $CMD in
start)
  PORT=$3 TLSPORT=$4 SEED=$5 RUNAS=${6:-nobody}
  rm -rf "$D"
  mkdir -p "$D/db" "$D/log" "$D/run"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$D/key.pem" -out "$D/cert.pem" 2>/dev/null
  configuration >"$D/slapd.conf"
  { cat "$SEED"; policy; } >"$D/seed.ldif"
  if [ "$(id -u)" = 0 ]; then chown -R "$RUNAS" "$D"; fi
  as /usr/sbin/slapadd -f "$D/slapd.conf" -b "$SUF" -l "$D/seed.ldif"
  if [ -f "$SEED.log" ]; then as /usr/sbin/slapadd -f "$D/slapd.conf" -b cn=accesslog <"$SEED.log"; fi
  as /usr/sbin/slapd -f "$D/slapd.conf" -h "ldap://127.0.0.1:$PORT ldaps://127.0.0.1:$TLSPORT"
  for _ in $(seq 100); do
    if (echo >"/dev/tcp/127.0.0.1/$TLSPORT") 2>/dev/null; then exit 0; fi
    sleep .1
  done
  echo "slapd does not listen on port $TLSPORT" >&2
  exit 1
  ;;
stop)
  PID=$(cat "$D/run/slapd.pid")
  kill "$PID"
  for _ in $(seq 100); do kill -0 "$PID" 2>/dev/null || exit 0; sleep .1; done
  exit 1
  ;;
*) echo "usage: slapd.sh start|stop DIR ..." >&2; exit 2 ;;
esac
