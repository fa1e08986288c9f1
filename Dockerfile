# The version that package.json pins for development; Debian, since the profilers' prebuilt parts want glibc.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Every native part comes prebuilt: no script of a package has to run.
RUN npm ci --omit=dev --ignore-scripts
# What other platforms would load, and source maps: 76 of 255 MB.
RUN find node_modules "(" -type d -path "*/prebuilds/*" \
    "(" -name "darwin-*" -o -name "win32-*" -o -name "linuxmusl-*" ")" \
    -o -name "*-darwin-*.node" -o -name "*-win32-*.node" -o -name "*-musl-*.node" -o -name "*.map" ")" \
    -prune -exec rm -r {} +
COPY example_data.json ./
COPY src ./src
# Seeds the embedded database and leaves its dump in .cache, so that a container starts in a second and needs no
# file system that can be written.
RUN ["node", "--input-type=module", "--eval", "import { openDatabase } from './src/database/database.ts'; await (await openDatabase({})).close()"]

FROM ${NODE_IMAGE}
# Reachable from outside the container; the guarded routes ask for ADMIN_TOKEN then.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY --from=build /app ./
# The user `node`, by number: Kubernetes' runAsNonRoot can check no name.
USER 1000:1000
EXPOSE 8000
# A query with every fault on blocks the event loop for a second, several of them for longer.
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --start-interval=1s \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# What `npm start` runs, without npm in between: it would not pass signals on.
CMD ["node", "--import", "./src/check-node.mjs", "--import", "./src/telemetry/start.ts", "src/server.ts"]
