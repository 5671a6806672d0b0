"""From a configuration to `Settings`, and what is wrong with it as a whole: files, contradictions, oversights.

It reads the files that are named, as the server will, and opens no socket and no store.
"""

from __future__ import annotations

import ipaddress
import os
from importlib.metadata import version
from importlib.util import find_spec

from roomproof_protocol import Heartbeat, Limits
from roomproof_server.config.gather import Configuration
from roomproof_server.config.kinds import limits_of
from roomproof_server.config.options import OPTIONS
from roomproof_server.engine.cluster.address import RedisStore
from roomproof_server.settings import JwtSettings, Settings

# A message of a room beside its text: room, epoch, seq, ts and sender at their longest (section 7).
ENVELOPE = 500


def settings_of(configuration: Configuration) -> Settings:
    """The settings. The configuration must be without faults."""
    value = configuration.__getitem__
    jwt = None
    if value("jwt_key") is not None:
        jwt = JwtSettings(
            key=value("jwt_key"),
            audience=value("jwt_audience"),
            issuer=value("jwt_issuer"),
            leeway_ms=_ms(value("jwt_leeway")),
            header=value("jwt_header"),
        )
    return Settings(
        limits=limits_of(value("limit")),
        heartbeat=Heartbeat(_ms(value("heartbeat_interval")), _ms(value("heartbeat_timeout"))),
        origins=frozenset(origin.rstrip("/").lower() for origin in value("origin")),
        trusted_proxies=value("trusted_proxy"),
        forwarded_header=value("forwarded_header"),
        loopback_limits=value("loopback_limits"),
        guests=value("guests"),
        jwt=jwt,
        drain_ms=_ms(value("drain")),
        store=value("store"),
        certificate=value("tls_certificate"),
        key=value("tls_key"),
        unix=value("unix"),
        workers=int(value("workers")),
        unix_mode=value("unix_mode"),
        max_connections=value("max_connections"),
        compression=value("compression"),
        log_format=value("log_format"),
        log_level=value("log_level"),
        name=value("name"),
        version=version("roomproof"),
    )


def check(configuration: Configuration) -> None:
    """Add the faults and warnings that only the whole shows."""
    for look in (_listening, _workers, _identity, _proxies, _store, _sizes):
        look(configuration)


def _listening(configuration: Configuration) -> None:
    certificate, key = configuration["tls_certificate"], configuration["tls_key"]
    if (certificate is None) != (key is None):
        one, other = ("tls_certificate", "tls_key") if key is None else ("tls_key", "tls_certificate")
        configuration.faults.append(f"{configuration.source(one)}: {one} means nothing without {other}")
    elif certificate is not None:
        from roomproof_server.shell.listen import tls_context

        try:
            tls_context(certificate, key)
        except ValueError as error:
            configuration.faults.append(f"{configuration.source('tls_certificate')}: {error}")
    elif not _is_loopback(configuration["host"]) and not configuration["trusted_proxy"]:
        configuration.warnings.append("no TLS: what clients send and read crosses the network in the clear")
    if "unix_mode" in configuration.given and configuration["unix"] is None:
        source = configuration.source("unix_mode")
        configuration.faults.append(f"{source}: unix_mode means nothing without unix")


def _workers(configuration: Configuration) -> None:
    source, workers = configuration.source("workers"), configuration["workers"]
    if workers == 1:
        return
    if not isinstance(configuration["store"], RedisStore):
        configuration.faults.append(
            f"{source}: {workers} workers need a store that they can share: expected store redis://HOST:PORT, "
            f"got {OPTIONS['store'].show(configuration['store'])}"
        )
    if configuration["unix"] is not None:
        configuration.faults.append(f"{source}: {workers} workers cannot share one unix socket: use a port")


def _identity(configuration: Configuration) -> None:
    key, faults = configuration["jwt_key"], configuration.faults
    if key is None:
        faults += [
            f"{configuration.source(name)}: {name} means nothing without jwt_key"
            for name in ("jwt_audience", "jwt_issuer", "jwt_leeway", "jwt_header")
            if name in configuration.given
        ]
        if not configuration["guests"]:
            faults.append(f"{configuration.source('guests')}: without guests and without jwt_key nobody can connect")
        return
    from roomproof_server.auth.keys import KeyFault, read_keys

    try:
        keys = read_keys(key)
    except KeyFault as fault:
        faults.append(f"{configuration.source('jwt_key')}: {fault}")
    else:
        configuration.warnings += [f"{configuration.source('jwt_key')}: {word}" for word in keys.passed_over]
    if configuration["jwt_audience"] is None:
        configuration.warnings.append("no jwt_audience: a token that the issuer made for something else is accepted")


def _proxies(configuration: Configuration) -> None:
    proxies = configuration["trusted_proxy"]
    source = configuration.source("trusted_proxy")
    configuration.warnings += [
        f"{source}: {network} is everybody, and everybody can then claim any address"
        for network in proxies
        if network.prefixlen == 0
    ]
    if not proxies:
        if "forwarded_header" in configuration.given:
            source = configuration.source("forwarded_header")
            configuration.faults.append(f"{source}: forwarded_header means nothing without trusted_proxy")
        if _is_loopback(configuration["host"]) and not configuration["loopback_limits"]:
            configuration.warnings.append(
                "no trusted_proxy: clients that come through a proxy on this machine count as loopback, for which "
                "limits per address do not hold"
            )


def _store(configuration: Configuration) -> None:
    store = configuration["store"]
    if store is None:
        configuration.warnings.append(f"{configuration.source('store')}: memory: a restart forgets all rooms")
    elif isinstance(store, RedisStore):
        _redis(configuration, store)
    elif not os.access(store.parent, os.W_OK | os.X_OK):
        what = "cannot be written to" if store.parent.is_dir() else "is no folder"
        configuration.faults.append(f"{configuration.place('store')}: {store.parent} {what}")


def _redis(configuration: Configuration, store: RedisStore) -> None:
    if find_spec("redis") is None:
        what = "needs the library redis: install roomproof[server]"
        configuration.faults.append(f"{configuration.place('store')}: {store} {what}")
    if store.hosts and not store.tls and not all(_is_loopback(host) for host, _ in store.hosts):
        source = configuration.source("store")
        configuration.warnings.append(
            f"{source}: no TLS: what is said in rooms crosses the network to Redis in the clear"
        )


def _sizes(configuration: Configuration) -> None:
    try:
        limits = limits_of(configuration["limit"])
    except ValueError:
        return  # said already
    source = _limit_source(configuration, "text_bytes", "frame_bytes")
    if limits.text_bytes > limits.frame_bytes:
        configuration.faults.append(
            f"{source}: text_bytes {limits.text_bytes} does not fit into frame_bytes {limits.frame_bytes}"
        )
    if (largest := _largest_joined(limits)) > limits.server_frame_bytes:
        source = _limit_source(configuration, "text_bytes", "history", "server_frame_bytes")
        configuration.warnings.append(
            f"{source}: a room full of the largest texts makes a frame of {largest} bytes, more than "
            f"server_frame_bytes {limits.server_frame_bytes} promises (LIMIT-8)"
        )
    if "per_address" in configuration.limits and configuration.limits["per_address"].value is None:
        configuration.warnings.append(
            f"{configuration.limits['per_address'].source}: per_address is off: who makes guests enough may send "
            "any number of messages"
        )


def _largest_joined(limits: Limits) -> int:
    return max(limits.history, limits.page) * (2 * limits.text_bytes + ENVELOPE)


def _limit_source(configuration: Configuration, *names: str) -> str:
    return next((configuration.limits[name].source for name in names if name in configuration.limits), "--limit")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
