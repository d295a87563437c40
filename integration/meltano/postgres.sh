# shellcheck shell=bash
# A private PostgreSQL server for the checks of warehouses.
# Sourced after lib.sh and lake.sh, never run.

# Starts a server of its own in $work, reachable at 127.0.0.1:$postgres_port: superuser `postgres`,
# no password, nothing durable. It stops at the end like the sandboxes, whoever is still connected.
postgres() {
    local cluster=$work/postgres log=$work/postgres.log attempt tries
    postgres_programs || debian pg_ctl postgresql
    postgres_programs || fail "the PostgreSQL server is missing"
    mkdir "$cluster"
    if [[ $(id -u) -eq 0 ]]; then
        # The server refuses root. Everyone may pass through $work, nobody may look around.
        chmod o+x "$work"
        chown postgres: "$cluster"
    fi
    # UTF-8 and the order of bytes, whatever the machine's locale.
    (unprivileged "$postgres_bin/initdb" --pgdata="$cluster/data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C --no-sync) >"$log" 2>&1 || {
        cat "$log" >&2
        fail "initdb"
    }
    # Somebody else may take the port between the question and the start.
    for attempt in 1 2 3; do
        postgres_port=$(free_port)
        postgres_server "$cluster" >>"$log" 2>&1 &
        children+=("$!")
        for ((tries = 0; tries < 300; tries++)); do
            # The socket is this server's for certain, whoever has the port.
            if "$postgres_bin/pg_isready" --quiet --host="$cluster" --port="$postgres_port"; then
                return
            fi
            kill -0 "${children[-1]}" 2>/dev/null || break
            sleep 0.1
        done
        echo "attempt $attempt on port $postgres_port failed" >>"$log"
    done
    cat "$log" >&2
    fail "PostgreSQL did not start"
}

# Runs SQL as the superuser, from its argument or from standard input, and prints bare rows with
# tabs between the columns. $postgres_database names another database than `postgres`.
sql() {
    local arguments=(--no-psqlrc --quiet --tuples-only --no-align --field-separator=$'\t'
        --set=ON_ERROR_STOP=1 --host=127.0.0.1 --port="$postgres_port" --username=postgres
        --dbname="${postgres_database:-postgres}")
    if (($# > 0)); then
        arguments+=(--command="$1")
    fi
    "$postgres_bin/psql" "${arguments[@]}"
}

# Sets $postgres_bin to the folder of the newest server's programs, which Debian keeps off PATH.
postgres_programs() {
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort --version-sort | tail -n 1) ||
        # -P: not the function above.
        found=$(type -P postgres) || return 1
    postgres_bin=$(dirname "$(realpath "$found")")
}

# The server in the foreground. It meets SIGTERM by waiting for its clients to leave and SIGINT by
# sending them away, so one is turned into the other.
postgres_server() {
    local server
    unprivileged "$postgres_bin/postgres" -D "$1/data" -p "$postgres_port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$1" \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off &
    server=$!
    trap 'kill -INT "$server"' TERM
    # The first wait ends with the signal.
    wait "$server" || wait "$server"
}

# Becomes the program in its arguments, as the server's user when this is root.
unprivileged() {
    cd "$work"
    if [[ $(id -u) -eq 0 ]]; then
        exec setpriv --reuid=postgres --regid="$(id -g postgres)" --clear-groups -- "$@"
    fi
    exec "$@"
}

free_port() {
    "${PYTHON:-python3.11}" -c '
import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}
