# shellcheck shell=bash
# The peers that .ci/run tests against. Each function makes one ready and exports what its suite reads; where that
# cannot be done it sets `missing` to the reason and returns 1. They are called in conditions, where `set -e` does
# not apply: whatever may fail is checked.

# The Go module's version of Jaeger v2.13.0, the one that docker-compose.yml runs.
JAEGER_MODULE=github.com/jaegertracing/jaeger@v1.76.0
JAEGER_BINARY="${XDG_CACHE_HOME:-$HOME/.cache}/span-to-line/${JAEGER_MODULE//\//-}"
JAEGER_BUILD_TIMEOUT=25m

peer_pids=()
peer_dirs=()

function stop_peers() {
  for pid in "${peer_pids[@]}"; do
    kill "$pid" 2>/dev/null || continue
    # PostgreSQL waits for its clients, and an interrupted suite may leave some. Nothing of a peer's is kept.
    until_true 5 eval "! kill -0 $pid" || kill -KILL "$pid" || true
  done
  for dir in "${peer_dirs[@]}"; do rm -rf "$dir"; done
}

function free_port() {
  node -e 'const server = net.createServer().listen(0, "127.0.0.1", () => {
    console.log(server.address().port)
    server.close()
  })'
}

# until_true SECONDS COMMAND...: polls for at most so long.
function until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then return 1; fi
    sleep 0.2
  done
}

# answers URL: with a status of success.
function answers() {
  node -e 'fetch(process.argv[1]).then((answer) => process.exit(answer.ok ? 0 : 1))' "$1"
}

function install_debian_package() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return 1; fi
  timeout 5m apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive timeout 10m apt-get install -qq -y --no-install-recommends "$1"
}

# find_go: `go` on the PATH.
function find_go() {
  missing="no Go, and Debian's package golang-go could not be installed"
  command -v go >/dev/null || install_debian_package golang-go && command -v go
}

# find_postgresql_binaries: prints the directory that has them; Debian leaves initdb off the PATH.
function find_postgresql_binaries() {
  local debian=(/usr/lib/postgresql/*/bin/initdb) initdb
  initdb=$(realpath -e "$(command -v initdb || echo "${debian[-1]}")" 2>/dev/null) && dirname "$initdb"
}

# as_nobody COMMAND...: PostgreSQL refuses to run as root.
function as_nobody() {
  if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else exec "$@"; fi
}

# start_postgresql: a server of its own on loopback, with an empty database that TEST_DATABASE_URL names.
function start_postgresql() {
  local bin dir port
  missing="no PostgreSQL, and Debian's package could not be installed"
  if ! bin=$(find_postgresql_binaries); then
    # Or the package would start a server that nobody here asked for.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
      echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    install_debian_package postgresql && bin=$(find_postgresql_binaries) || return 1
  fi
  missing="PostgreSQL of $bin did not start"
  dir=$(mktemp -d)
  peer_dirs+=("$dir")
  if [ "$(id -u)" = 0 ]; then chown nobody "$dir"; fi
  (as_nobody "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) >/dev/null || return 1
  port=$(free_port)
  (as_nobody "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off) >"$dir/log" 2>&1 &
  peer_pids+=($!)
  until_true 30 "$bin/psql" -h 127.0.0.1 -p "$port" -U postgres -c 'CREATE DATABASE rag_test' || { cat "$dir/log"; return 1; }
  export TEST_DATABASE_URL="postgresql://postgres@127.0.0.1:$port/rag_test"
  "$bin/postgres" --version
}

# start_datadog_test_agent: on loopback; DD_TEST_AGENT_URL is its address.
function start_datadog_test_agent() {
  local port
  missing="no Python, and Debian's package python3-venv could not be installed"
  # Debian's python3 comes without what makes a virtual environment.
  python3 -c 'import ensurepip' 2>/dev/null || install_debian_package python3-venv || return 1
  missing='it could not be installed, or did not start'
  port=$(free_port)
  .ci/start-datadog-test-agent "$port" &
  peer_pids+=($!)
  export DD_TEST_AGENT_URL="http://127.0.0.1:$port"
  # The first time it is installed.
  until_true 180 answers "$DD_TEST_AGENT_URL/info"
}

# find_chromium: where the page's suite looks for it.
function find_chromium() {
  missing="no Chromium, and Debian's package could not be installed"
  [ -x "${CHROMIUM_PATH:-/usr/bin/chromium}" ] || install_debian_package chromium
}

# build_jaeger: from its Go module, as its own go.mod and go.sum pin it; kept outside the repository for later runs.
function build_jaeger() {
  local source
  source=$(go mod download -json "$JAEGER_MODULE" | node -p 'JSON.parse(fs.readFileSync(0)).Dir') || return 1
  echo "building $JAEGER_MODULE, some minutes the first time"
  mkdir -p "$(dirname "$JAEGER_BINARY")"
  CGO_ENABLED=0 timeout "$JAEGER_BUILD_TIMEOUT" \
    go build -C "$source" -trimpath -ldflags='-s -w' -o "$JAEGER_BINARY.tmp" ./cmd/jaeger &&
    mv "$JAEGER_BINARY.tmp" "$JAEGER_BINARY"
}

# start_jaeger: in memory, on loopback; JAEGER_QUERY_URL and OTEL_EXPORTER_OTLP_ENDPOINT are its addresses.
function start_jaeger() {
  if [ ! -x "$JAEGER_BINARY" ]; then
    find_go || return 1
    missing="$JAEGER_MODULE could not be built with $(go version)"
    build_jaeger || return 1
  fi
  missing="$JAEGER_BINARY did not start"
  JAEGER_QUERY_PORT=$(free_port)
  JAEGER_OTLP_PORT=$(free_port)
  export JAEGER_QUERY_PORT JAEGER_OTLP_PORT
  # Jaeger would trace itself, and send that to a port which is not its own here.
  OTEL_TRACES_SAMPLER=always_off "$JAEGER_BINARY" --config file:.ci/jaeger.yaml &
  peer_pids+=($!)
  export JAEGER_QUERY_URL="http://127.0.0.1:$JAEGER_QUERY_PORT"
  export OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$JAEGER_OTLP_PORT"
  until_true 30 answers "$JAEGER_QUERY_URL/api/services"
}
