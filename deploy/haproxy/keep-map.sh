#!/bin/sh
# Writes what haproxy's map says now into its file, so that a reload forgets nothing of it. Run it
# before each reload, for example by systemd (systemctl edit haproxy):
#
#   [Service]
#   ExecReload=
#   ExecReload=/usr/local/sbin/keep-map.sh /run/haproxy/admin.sock /etc/haproxy/aviary.map
#   ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS
#   ExecReload=/bin/kill -USR2 $MAINPID
#
# It changes nothing where haproxy does not answer, or knows no such map. Comments in the file go.
set -eu
socket=$1 map=$2
echo "show map $map" | socat stdio "unix-connect:$socket" | sed -n 's/^0x[0-9a-f]* //p' >"$map.new"
if [ -s "$map.new" ]; then mv "$map.new" "$map"; else rm "$map.new"; fi
