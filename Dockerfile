# Builds haetae, and puts it beside Chromium and ChromeDriver.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock askama.toml ./
COPY src src
COPY benches benches
RUN cargo build --release --locked --bin haetae

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates chromium chromium-driver chromium-headless-shell fonts-noto-cjk tini util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 haetae \
    && mkdir -p /project/data && chown -R haetae /project
COPY --from=build /src/target/release/haetae /usr/local/bin/haetae
USER haetae
WORKDIR /project
VOLUME /project/data
EXPOSE 8600
# tini reaps what browsers leave, and passes SIGTERM on.
ENTRYPOINT ["tini", "--", "haetae"]
CMD ["serve"]
