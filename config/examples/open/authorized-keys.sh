#!/bin/sh
# Counts the SSH keys that let somebody in on one host: every account with an `authorized_keys`, and
# every key in it. An example of a program for the connector `exec`; POSIX sh, awk and sha256sum.
#
#   HOST=build-1 HOMES=/home ./authorized-keys.sh | headcount sources validate
set -eu

host=${HOST:?the name of the host}
homes=${HOMES:-/home}
place="ssh:$host"

# A text as JSON: control characters out, quotes and backslashes escaped.
json() { printf '%s\n' "$1" | tr -d '\000-\011\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/'; }

scope() { printf '{"place":%s,"kind":"%s"}' "$(json "$place")" "$1"; }

observation() { printf '{"type":"observation","scope":%s,"observation":{%s}}\n' "$(scope "$1")" "$2"; }

# Why a scope was not read to its end. After this nothing in it can disappear.
failed() {
  printf '{"type":"failed","scope":%s,"error":{"cause":"unavailable","operation":"read %s","reason":%s}}\n' \
    "$(scope "$1")" "$1" "$(json "$2")"
}

# A new name for every scan.
printf '{"type":"begin","schema":1,"scan":"%s-%s"}\n' "$(date -u +%Y%m%dT%H%M%SZ)" "$$"

if [ ! -d "$homes" ]; then
  failed accounts "$homes is no folder"
  failed authorized-keys "$homes is no folder"
  exit 1
fi

unread=
for home in "$homes"/*; do
  file="$home/.ssh/authorized_keys"
  [ -e "$file" ] || continue
  # The number, not the name: a name that is given away again is another account.
  uid=$(stat -c %u "$home")-$(stat -c %i "$home")
  name=$(basename "$home")
  account="$place:account/$uid"
  observation accounts "\"id\":$(json "$account"),\"class\":\"identity\",\"kind\":\"account\",\"name\":$(json "$name"),\"status\":\"active\""

  # Key and comment, each key once; options may stand before the key.
  if ! keys=$(awk '!/^[[:space:]]*(#|$)/ {
      for (i = 1; i < NF; i++) if ($i ~ /^(ssh-|ecdsa-|sk-)/) {
        key = $(i + 1); comment = ""
        for (j = i + 2; j <= NF; j++) comment = comment (j > i + 2 ? " " : "") $j
        if (!said[key]++) print $i, key, comment
        break
      }
    }' "$file"); then
    unread=$file
    continue
  fi
  [ -n "$keys" ] || continue
  while read -r type key comment; do
    hash=$(printf '%s' "$key" | sha256sum | cut -c1-32)
    fields="\"id\":$(json "$place:ssh-key/$uid-$hash"),\"class\":\"credential\",\"kind\":\"ssh-key\""
    fields="$fields,\"name\":$(json "${comment:-$type $hash}"),\"parent\":$(json "$account")"
    fields="$fields,\"status\":\"active\",\"expiry\":{\"state\":\"never\"}"
    # sshd writes down who came in, and nowhere by which key and when it was last used.
    fields="$fields,\"usage\":{\"state\":\"not_observable\",\"reason\":\"sshd keeps no last use of keys\"}"
    fields="$fields,\"attributes\":{\"algorithm\":$(json "$type"),\"file\":$(json "$file")}"
    observation authorized-keys "$fields"
  done <<EOF
$keys
EOF
done

printf '{"type":"complete","scope":%s}\n' "$(scope accounts)"
if [ -n "$unread" ]; then
  failed authorized-keys "$unread cannot be read"
else
  printf '{"type":"complete","scope":%s}\n' "$(scope authorized-keys)"
fi
