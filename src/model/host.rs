//! Detects hosts on this machine or on the network link that it is connected to.
//!
//! Requests to this machine never use a proxy, and a redirect from another host never leads to it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of cloud metadata services that are not link-local.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Returns whether the host of a URL denotes this machine by its text. The host is a name or an address, with
/// or without brackets. `localhost`, names below it, loopback and unspecified addresses in every form denote
/// this machine.
pub fn is_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || address(host).is_some_and(address_is_this_machine)
}

/// Returns the address in the host of a URL. `None` if the host is a name.
pub fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Returns whether an address is this machine: loopback (127.0.0.0/8, `::1`) or unspecified, also when it is
/// written as IPv6.
pub fn address_is_this_machine(address: IpAddr) -> bool {
    let address = unmapped(address);
    address.is_loopback() || address.is_unspecified()
}

/// Returns whether an address is link-local (169.254.0.0/16, `fe80::/10`) or a cloud's metadata service,
/// which responds to this machine only.
pub fn address_is_neighbour(address: IpAddr) -> bool {
    let address = unmapped(address);
    METADATA.contains(&address)
        || match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

/// Returns an IPv4 address that is written as IPv6 (mapped, compatible or translated by NAT64) as IPv4.
fn unmapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(long) = address.to_canonical() else {
        return address.to_canonical();
    };
    match long.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        _ => IpAddr::V6(long),
    }
}

fn v4(high: u16, low: u16) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_this_machine_is_known() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "::1",
            "[::1]",
            "::",
            "[::ffff:127.0.0.1]",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example.test", "128.0.0.1", "::2", "10.0.0.1", "example.test", ""] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn every_form_of_a_neighbour_is_known() {
        let near = |text: &str| address_is_neighbour(address(text).expect("an address"));
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert!(near(text), "{text}");
        }
        for text in ["169.253.0.1", "fec0::1", "192.168.0.1", "8.8.8.8", "2001:db8::1"] {
            assert!(!near(text), "{text}");
        }
    }
}
