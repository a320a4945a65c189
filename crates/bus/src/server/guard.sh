# shellcheck shell=sh
# Runs nats-server for as long as latchkey lives.
#
# $1 is the binary, $2 its configuration. Standard input is a pipe of which only latchkey holds the writing end: whatever way
# latchkey dies, kill -9 included, the kernel closes that end and the watcher below reads the end of file. Standard output is
# the locked lock file of the store directory: guard and server hold it open, so nobody starts a second server on the same
# store while this one still writes.

# A shell without job control gives its background children /dev/null for standard input, so the pipe moves to descriptor 3.
exec 3<&0 </dev/null

"$1" --config "$2" 3<&- &
server=$!

(
  # Nothing is ever written: the loop ends with the pipe.
  while read -r _; do :; done <&3
  kill -TERM "$server"
  tenths=50
  while [ "$tenths" -gt 0 ] && kill -0 "$server"; do
    sleep 0.1
    tenths=$((tenths - 1))
  done
  kill -KILL "$server"
) >/dev/null 2>&1 &
watcher=$!

# The pipe alone decides when to stop. The traps do nothing but keep this shell alive to report the server's exit; unlike
# ignored signals they are not inherited by the server.
trap : HUP INT TERM

# A trapped signal interrupts `wait`: ask again until the server is gone.
while :; do
  wait "$server"
  status=$?
  kill -0 "$server" 2>/dev/null || break
done
kill -KILL "$watcher" 2>/dev/null
exit "$status"
