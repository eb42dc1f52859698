//! Rate limits by caller.
//!
//! Input: the key of a caller. Output: whether the request is allowed, or how long to wait. Idle keys are evicted,
//! so memory grows with the number of active callers, not of requests. Must not know: HTTP, the identity of
//! callers.

use contract::settings;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Idle keys are evicted once in this many requests.
const FORGET: u64 = 4096;

/// The key that requests are counted under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The subject of a signed token.
    Subject(Arc<str>),
    /// A token of the token file, by index.
    Token(usize),
    /// A client address; for IPv6 the first 64 bits, the smallest network a client is assigned.
    Address(IpAddr),
}

impl Key {
    /// The key of an address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => match six.to_ipv4_mapped() {
                Some(four) => IpAddr::V4(four),
                None => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
            },
        })
    }
}

/// Request counts by caller.
pub struct RateLimits {
    limiter: DefaultKeyedRateLimiter<Key>,
    calls: AtomicU64,
    proxies: u8,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimits({} callers)", self.limiter.len())
    }
}

impl RateLimits {
    /// Empty counts.
    pub fn new(settings: settings::Limits) -> Self {
        let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(settings.requests_per_second));
        let limiter = RateLimiter::keyed(quota.allow_burst(positive(settings.burst)));
        Self { limiter, calls: AtomicU64::new(0), proxies: settings.trusted_proxies }
    }

    /// Number of trusted proxies in front of the service.
    pub fn proxies(&self) -> u8 {
        self.proxies
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The limit is exceeded; the caller may retry after this time.
    pub fn check(&self, key: &Key) -> Result<(), Duration> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % FORGET == FORGET - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|wait| wait.wait_time_from(DefaultClock::default().now()))
    }
}

/// The address a request came from: the peer, or the address that the outermost of `proxies` trusted proxies saw.
/// `forwarded_for` are the addresses of the `X-Forwarded-For` headers in order; those further left are written by
/// the client and are not trusted.
pub fn client_address<'h>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'h str>,
    proxies: u8,
) -> IpAddr {
    let Some(place) = usize::from(proxies).checked_sub(1) else { return peer };
    forwarded_for.rev().nth(place).and_then(|text| text.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> RateLimits {
        RateLimits::new(settings::Limits { requests_per_second: 1, burst: 3, trusted_proxies: 0 })
    }

    #[test]
    fn each_caller_has_a_burst_of_their_own() {
        let limits = limits();
        for caller in ["ada", "bob"] {
            let key = Key::Subject(caller.into());
            assert!((0..3).all(|_| limits.check(&key).is_ok()));
            let wait = limits.check(&key).unwrap_err();
            assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        }
    }

    #[test]
    fn callers_of_long_ago_are_forgotten() {
        let limits =
            RateLimits::new(settings::Limits { requests_per_second: 100_000, burst: 1, trusted_proxies: 0 });
        for token in 0..20_000 {
            limits.check(&Key::Token(token)).unwrap();
        }
        assert!(limits.limiter.len() < 10_000, "{limits:?}");
    }

    #[test]
    fn one_household_is_one_address() {
        let key = |text: &str| Key::address(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }

    #[test]
    fn a_client_cannot_choose_its_own_address() {
        let forwarded = ["1.1.1.1", "2.2.2.2", "3.3.3.3"];
        let peer = IpAddr::from([10, 0, 0, 9]);
        let from = |proxies| client_address(peer, forwarded.into_iter(), proxies).to_string();
        assert_eq!(from(0), "10.0.0.9", "the header is not read");
        assert_eq!(from(1), "3.3.3.3", "the address that the trusted proxy saw");
        assert_eq!(from(2), "2.2.2.2");
        assert_eq!(from(8), "10.0.0.9", "fewer entries than trusted proxies");
    }
}
