# syntax=docker/dockerfile:1
#
#   docker build -t millrace .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -p 8080:8080 millrace
#
# The admin port is on the container's loopback, out of everybody's reach. To publish it, give it an address and a token:
#
#   docker run --rm -p 8080:8080 -p 127.0.0.1:9090:9090 -e ADMIN_HOST=0.0.0.0 -e ADMIN_TOKEN=$(openssl rand -hex 32) millrace
#
# A tag may be another image tomorrow: pin the base images by their digests (ops/security.md, "Supply chain").
#
# Debian 13, because uWebSockets' binaries for Node 24 need its glibc (native-notes/uws.md). NODE_IMAGE=node:22-trixie-slim works too.
ARG NODE_IMAGE=node:24-trixie-slim
# What runs: Node alone, without npm, on the same Debian as NODE_IMAGE.
ARG BASE_IMAGE=debian:trixie-slim

# What TypeScript is compiled with.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# .npmrc keeps install scripts from running: every native package brings its binary.
RUN npm ci
# The bill of materials, of what the image runs: npm lists it only where everything is installed.
RUN npm run --silent sbom > sbom.cdx.json
COPY tsconfig.json tsconfig.build.json esbuild.config.mjs ./
COPY src ./src
RUN npm run build && find dist \( -name '*.map' -o -name '*.d.ts' -o -name '.tsbuildinfo' \) -delete

# What runs beside it.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY ops/container/prune.sh ./
RUN ./prune.sh node_modules

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Millrace" \
  org.opencontainers.image.description="Market-data streaming engine: NATS in, ordered deltas out over WebSocket" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT"
COPY --from=dependencies /usr/local/bin/node /usr/local/bin/node
# Numbers, by which Kubernetes sees that it is not root.
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin millrace
ENV NODE_ENV=production
# A container is reached from outside, also where the gateway makes a key for the run.
ENV HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/sbom.cdx.json ./
COPY package.json LICENSE ops/container/healthcheck.sh ./
COPY ops/container/millrace /usr/local/bin/millrace
# The build fails here where no uWebSockets binary fits the image.
RUN node -e "import('/app/dist/gateway/native/uws.js').then(({ App }) => App().close())"
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/app/healthcheck.sh"]
# Node replaces the shell of `millrace` and is process 1: it handles SIGTERM itself, closes its sockets with 1001 and exits with 0.
ENTRYPOINT ["millrace"]
CMD ["serve"]
