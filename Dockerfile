# Two images from one build: the service (target `punctual`) and the harness (target `loadtest`),
# each without a compiler, a shell's history or root.
#
#   export BUILD_REVISION=$(git rev-parse --short=12 HEAD)
#   docker build --build-arg BUILD_REVISION --target punctual --tag punctual .
#   docker build --build-arg BUILD_REVISION --target loadtest --tag punctual-loadtest .

# The toolchain is the one that Cargo.toml asks for.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# There is no git in here to say which revision this is, so whoever builds it does.
ARG BUILD_REVISION=unknown
# Whole-program optimisation takes 20 minutes on two processors, once: what it built is kept.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --release --workspace --bins \
    && mkdir -p /out/data \
    && cp /target/release/punctual /target/release/loadtest /out/

# Both need the C library and the certificates of the authorities that providers' come from.
FROM debian:12.11-slim AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532
WORKDIR /tmp

FROM base AS loadtest
COPY --from=build /out/loadtest /usr/local/bin/
# A volume takes over the owner of what it covers.
COPY --from=build --chown=65532:65532 /out/data /var/lib/provider
ENTRYPOINT ["/usr/local/bin/loadtest"]

# Last, so that it is what a plain `docker build .` makes.
FROM base AS punctual
COPY --from=build /out/punctual /usr/local/bin/
# Where `punctual render` writes for others; a volume takes over the owner of what it covers.
COPY --from=build --chown=65532:65532 /out/data /srv/rendered
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["/usr/local/bin/punctual", "health"]
ENTRYPOINT ["/usr/local/bin/punctual"]
CMD ["serve"]
