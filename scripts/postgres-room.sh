# Sourced by scripts about the server of scripts/postgres.sh. Leaves in `room` the folder that holds its
# socket and its data, and in `plain` what has a command run as nobody where it would be root's, which
# servers refuse.
if [ -z "${room:-}" ]; then
    : "${SW_POSTGRES_URL:?names no server: scripts/postgres.sh starts one}" "${SW_POSTGRES_PROGRAMS:?}"
    room=${SW_POSTGRES_URL#*host=}
    room=${room%%&*}
fi
plain=()
[ "$(id -u)" -ne 0 ] || plain=(setpriv --reuid=65534 --regid=65534 --clear-groups env "HOME=$room")

as_plain() { "${plain[@]}" "$@"; }
