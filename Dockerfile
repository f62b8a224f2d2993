# syntax=docker/dockerfile:1
#
#   docker build -t millrace .
#   docker run --rm -p 8080:8080 millrace
#
# The admin port is on the container's loopback, out of everybody's reach. To publish it, give it an address and a token:
#
#   docker run --rm -p 8080:8080 -p 127.0.0.1:9090:9090 -e ADMIN_HOST=0.0.0.0 -e ADMIN_TOKEN=$(openssl rand -hex 32) millrace
#
# A tag may be another image tomorrow: pin the base image by its digest (ops/security.md, "Supply chain").
#
# Debian 13, because uWebSockets' binaries for Node 24 need its glibc (native-notes/uws.md). node:22-bookworm-slim works too.
ARG NODE_IMAGE=node:24-trixie-slim

# What TypeScript is compiled with.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# .npmrc keeps install scripts from running: every native package brings its binary.
RUN npm ci
COPY tsconfig.json tsconfig.build.json esbuild.config.mjs ./
COPY src ./src
RUN npm run build && rm dist/.tsbuildinfo

# What runs beside it, with the uWebSockets binaries of this platform only: all of them are 250 MB.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev \
  && find node_modules/uWebSockets.js node_modules/@btc-vision/uwebsockets.js -name 'uws_*.node' \
    ! -name "uws_linux_$(node -p 'process.arch')_$(node -p 'process.versions.modules').node" -delete

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
# A container is reached from outside, also where the gateway makes a key for the run.
ENV HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
# The build fails here where no uWebSockets binary fits the image.
RUN node -e "import('/app/dist/gateway/native/uws.js').then(({ App }) => App().close())"
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.ADMIN_PORT || 9090) + '/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1: it handles SIGTERM itself, closes its sockets with 1001 and exits with 0.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve"]
