# shellcheck shell=bash
# The peers that .ci/run tests against. Each function makes one ready and exports what its suite reads; where that
# cannot be done it sets `missing` to the reason and returns 1. They are called in conditions, where `set -e` does
# not apply: whatever may fail is checked.

# The Go module's version of Jaeger v2.13.0, the one that docker-compose.yml runs.
JAEGER_MODULE=github.com/jaegertracing/jaeger@v1.76.0
# What is built once and kept for later runs, outside the repository.
PEER_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/span-to-line"
JAEGER_BINARY="$PEER_CACHE/${JAEGER_MODULE//\//-}"
BUILD_TIMEOUT=25m
COMPOSE_MODULE=github.com/docker/compose/v2@v2.40.3
KUSTOMIZE_MODULE=sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
KUBERNETES_VALIDATE=kubernetes-validate==1.37.0
SCHEMATHESIS_PACKAGE=schemathesis==4.32.5
COLLECTOR_BUILDER_MODULE=go.opentelemetry.io/collector/cmd/builder@v0.161.0

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

# start_postgresql: a server of its own on loopback, with an empty database that TEST_DATABASE_URL names; POSTGRESQL_BIN
# is where its programs are.
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
  export POSTGRESQL_BIN=$bin
  "$bin/postgres" --version
}

# find_python: one that can make a virtual environment; Debian's python3 comes without what does.
function find_python() {
  missing="no Python, and Debian's package python3-venv could not be installed"
  python3 -c 'import ensurepip' 2>/dev/null || install_debian_package python3-venv
}

# install_python_package PACKAGE VENV: from PyPI, into a virtual environment of its own.
function install_python_package() {
  python3 -m venv "$2" && "$2/bin/pip" install -q --disable-pip-version-check "$1"
}

# start_datadog_test_agent: on loopback; DD_TEST_AGENT_URL is its address.
function start_datadog_test_agent() {
  local port
  find_python || return 1
  missing='it could not be installed, or did not start'
  port=$(free_port)
  .ci/start-datadog-test-agent "$port" &
  peer_pids+=($!)
  export DD_TEST_AGENT_URL="http://127.0.0.1:$port"
  # The first time it is installed.
  until_true 180 answers "$DD_TEST_AGENT_URL/info"
}

# find_prometheus: it and its promtool, on the PATH.
function find_prometheus() {
  missing="no Prometheus, and Debian's package could not be installed"
  command -v prometheus promtool >/dev/null || install_debian_package prometheus
}

# find_chromium: where the page's suite looks for it.
function find_chromium() {
  missing="no Chromium, and Debian's package could not be installed"
  [ -x "${CHROMIUM_PATH:-/usr/bin/chromium}" ] || install_debian_package chromium
}

# build_module MODULE PACKAGE PROGRAM: a Go program, as its own go.mod and go.sum pin what it is made of; kept outside
# the repository for later runs.
function build_module() {
  local source
  source=$(go mod download -json "$1" | node -p 'JSON.parse(fs.readFileSync(0)).Dir') || return 1
  echo "building $1, some minutes the first time"
  mkdir -p "$(dirname "$3")"
  CGO_ENABLED=0 timeout "$BUILD_TIMEOUT" go build -C "$source" -trimpath -ldflags='-s -w' -o "$3.tmp" "$2" && mv "$3.tmp" "$3"
}

# find_jaeger: JAEGER_BINARY is its program.
function find_jaeger() {
  export JAEGER_BINARY
  [ -x "$JAEGER_BINARY" ] && return 0
  find_go || return 1
  missing="$JAEGER_MODULE could not be built with $(go version)"
  build_module "$JAEGER_MODULE" ./cmd/jaeger "$JAEGER_BINARY"
}

# start_jaeger: in memory, on loopback; JAEGER_QUERY_URL and OTEL_EXPORTER_OTLP_ENDPOINT are its addresses.
function start_jaeger() {
  find_jaeger || return 1
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

# find_deploy_tools: what reads docker-compose.yml and the Kubernetes manifests as their own engines would;
# DEPLOY_TOOLS is the directory of docker-compose, kustomize and kubernetes-validate.
function find_deploy_tools() {
  export DEPLOY_TOOLS="$PEER_CACHE/deploy-tools-1"
  find_go && find_python || return 1
  missing="docker-compose and kustomize could not be built with $(go version)"
  [ -x "$DEPLOY_TOOLS/docker-compose" ] ||
    build_module "$COMPOSE_MODULE" ./cmd "$DEPLOY_TOOLS/docker-compose" || return 1
  [ -x "$DEPLOY_TOOLS/kustomize" ] ||
    GOBIN="$DEPLOY_TOOLS" timeout "$BUILD_TIMEOUT" go install "$KUSTOMIZE_MODULE" || return 1
  missing="$KUBERNETES_VALIDATE could not be installed from PyPI"
  [ -x "$DEPLOY_TOOLS/kubernetes-validate" ] ||
    { install_python_package "$KUBERNETES_VALIDATE" "$DEPLOY_TOOLS/venv" &&
      ln -sf venv/bin/kubernetes-validate "$DEPLOY_TOOLS/kubernetes-validate"; }
}

# find_schemathesis: SCHEMATHESIS is its command.
function find_schemathesis() {
  local venv="$PEER_CACHE/${SCHEMATHESIS_PACKAGE//==/-}"
  find_python || return 1
  missing="$SCHEMATHESIS_PACKAGE could not be installed from PyPI"
  export SCHEMATHESIS="$venv/bin/schemathesis"
  [ -x "$SCHEMATHESIS" ] || install_python_package "$SCHEMATHESIS_PACKAGE" "$venv"
}

# find_collector: OTELCOL is a collector with the components that the gateway names; and a Jaeger to send to.
function find_collector() {
  find_jaeger || return 1
  export OTELCOL="$PEER_CACHE/otelcol-0.161.0"
  [ -x "$OTELCOL" ] && return 0
  find_go || return 1
  missing="the collector could not be built with $(go version)"
  local source
  source=$(mktemp -d)
  peer_dirs+=("$source")
  echo 'building a collector, some minutes the first time'
  GOBIN="$source" timeout 5m go install "$COLLECTOR_BUILDER_MODULE" &&
    cp .ci/collector-builder.yaml "$source/manifest.yaml" &&
    (cd "$source" && CGO_ENABLED=0 timeout "$BUILD_TIMEOUT" ./builder --config manifest.yaml) &&
    mkdir -p "$PEER_CACHE" && mv "$source/out/otelcol" "$OTELCOL"
}

# have_both_backends: start_jaeger and start_datadog_test_agent were called before.
function have_both_backends() {
  missing='one of the two is missing'
  answers "${JAEGER_QUERY_URL:-}/api/services" && answers "${DD_TEST_AGENT_URL:-}/info"
}
