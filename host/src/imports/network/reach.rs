//! Which addresses a granted host may turn out to have. Pure.
//!
//! Whoever owns a public name decides what it resolves to. A grant of `partner.example` must not become a way to the database on
//! 10.0.0.5, to the worker's own loopback, or to a cloud's metadata at 169.254.169.254. So:
//!
//! - a literal address in the grant means that address, whatever it is;
//! - a name that no public name server can answer (`localhost`, a single label such as `payments`, `.internal`, `.local`,
//!   `.localhost`, `.home.arpa`, `.test`) may be loopback or private: it was granted because it is;
//! - every other name may only be a public address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names below these are never public (RFC 6761, 6762, 8375; ICANN reserves `internal`).
const LOCAL: [&str; 5] = ["localhost", "internal", "local", "home.arpa", "test"];

/// Whether a granted host may be reached at this address.
pub(super) fn allow(host: &str, address: IpAddr) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    match scope(address) {
        Scope::Public => true,
        Scope::Private => is_local(host),
        Scope::Never => false,
    }
}

#[derive(Debug, PartialEq)]
enum Scope {
    Public,
    /// Loopback, and networks of one organisation.
    Private,
    /// This network, link-local (where clouds keep their metadata), multicast, broadcast, reserved.
    Never,
}

fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    !host.contains('.') || LOCAL.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

fn scope(address: IpAddr) -> Scope {
    match address.to_canonical() {
        IpAddr::V4(address) => scope_v4(address),
        IpAddr::V6(address) => scope_v6(address),
    }
}

fn scope_v4(address: Ipv4Addr) -> Scope {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (10 | 127, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Scope::Private,
        (0 | 224.., ..) | (169, 254, _) => Scope::Never,
        // Documentation, benchmarks, and protocol assignments: nothing of the public network lives there.
        (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => Scope::Never,
        _ => Scope::Public,
    }
}

fn scope_v6(address: Ipv6Addr) -> Scope {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| scope_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Scope::Private,
        // NAT64 and 6to4 carry an IPv4 address: what counts is that one.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0xfc00..=0xfdff, ..] => Scope::Private,
        // Documentation and Teredo.
        [0x2001, 0xdb8 | 0, ..] => Scope::Never,
        [0x2000..=0x3fff, ..] => Scope::Public,
        _ => Scope::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::allow;

    fn allowed(host: &str, address: &str) -> bool {
        allow(host, address.parse().unwrap())
    }

    #[test]
    fn a_public_name_reaches_only_public_addresses() {
        for public in ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"] {
            assert!(allowed("evil.example", public), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "10.0.0.5",
            "172.16.0.1",
            "172.31.255.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.5",
            "64:ff9b::a00:5",
            "2002:a00:5::1",
            "2001:db8::1",
            "::127.0.0.1",
        ] {
            assert!(!allowed("evil.example", inside), "{inside}");
        }
    }

    #[test]
    fn a_local_name_reaches_what_is_local_but_no_metadata() {
        for host in ["localhost", "LOCALHOST.", "api.localhost", "payments", "db.internal", "svc.ns.svc.cluster.local"] {
            assert!(allowed(host, "127.0.0.1") && allowed(host, "10.0.0.5") && allowed(host, "::1"), "{host}");
            assert!(!allowed(host, "169.254.169.254") && !allowed(host, "fe80::1"), "{host}");
        }
        assert!(!allowed("notlocal", "169.254.0.1") && !allowed("evil-local.example", "127.0.0.1"));
        assert!(!allowed("xinternal.example", "10.0.0.1"));
    }

    #[test]
    fn an_address_means_itself() {
        assert!(allowed("127.0.0.1", "127.0.0.1") && allowed("::1", "::1") && allowed("169.254.169.254", "169.254.169.254"));
    }
}
