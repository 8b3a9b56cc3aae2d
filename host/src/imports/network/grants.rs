//! Whether a host and port are among those that were granted. Pure.

/// A grant is `host:port`, or `host` for the ports of HTTP and HTTPS. The host is compared as it is written, without regard to case;
/// there are no patterns, because the narrowest grant that works is easy to say.
pub(super) fn allow(grants: &[String], host: &str, port: u16) -> bool {
    grants.iter().filter_map(|grant| parse(grant)).any(|(granted, ports)| {
        normal(granted) == normal(host)
            && match ports {
                Some(granted) => granted == port,
                None => port == 80 || port == 443,
            }
    })
}

fn parse(grant: &str) -> Option<(&str, Option<u16>)> {
    let grant = grant.trim();
    if let Some(rest) = grant.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => port.is_empty().then_some((host, None)),
        };
    }
    match grant.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port.parse().ok()?))),
        // Colons without brackets: an IPv6 address without a port.
        Some(_) => Some((grant, None)),
        None => Some((grant, None)),
    }
}

fn normal(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    // One address has many spellings.
    host.parse::<std::net::IpAddr>().map(|address| address.to_string()).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::allow;

    fn allowed(grant: &str, host: &str, port: u16) -> bool {
        allow(&[grant.into()], host, port)
    }

    #[test]
    fn a_grant_is_one_host_and_one_port() {
        assert!(allowed("api.example:8443", "API.example.", 8443));
        assert!(!allowed("api.example:8443", "api.example", 443));
        assert!(!allowed("api.example:443", "evil.api.example", 443));
        assert!(!allowed("api.example:443", "api.example.evil", 443));
        assert!(!allow(&[], "api.example", 443));
    }

    #[test]
    fn without_a_port_it_is_those_of_http_and_https() {
        assert!(allowed("api.example", "api.example", 80));
        assert!(allowed("api.example", "api.example", 443));
        assert!(!allowed("api.example", "api.example", 8080));
    }

    #[test]
    fn addresses_are_compared_by_value() {
        assert!(allowed("[::1]:8080", "0:0::1", 8080));
        assert!(allowed("::1", "::1", 80));
        assert!(allowed("127.0.0.1:8080", "127.0.0.1", 8080));
        assert!(!allowed("127.0.0.1:8080", "127.0.0.2", 8080));
    }

    #[test]
    fn nonsense_grants_nothing() {
        for grant in ["", ":", "[::1", "[::1]x", "api.example:", "api.example:port", "*", "*.example:443"] {
            assert!(!allowed(grant, "api.example", 443), "{grant}");
        }
    }
}
