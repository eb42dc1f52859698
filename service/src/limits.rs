//! How often one caller may call.
//!
//! Comes in: a caller's key. Goes out: yes, or how long to wait. Keys that were not heard of for a while are
//! forgotten, so that memory follows the number of callers, not of calls. Must not know: HTTP, who they are.

use contract::settings;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Keys are looked through once in so many calls.
const FORGET: u64 = 4096;

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The owner of a signed token.
    Subject(Arc<str>),
    /// One of the service's own tokens, by its place.
    Token(usize),
    /// An address; of IPv6 the first 64 bits, since nobody has fewer.
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

/// Counts calls by caller.
pub struct Limits {
    limiter: DefaultKeyedRateLimiter<Key>,
    calls: AtomicU64,
    proxies: u8,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limits({} callers)", self.limiter.len())
    }
}

impl Limits {
    /// Nobody has called yet.
    pub fn new(settings: settings::Limits) -> Self {
        let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(settings.requests_per_second));
        let limiter = RateLimiter::keyed(quota.allow_burst(positive(settings.burst)));
        Self { limiter, calls: AtomicU64::new(0), proxies: settings.trusted_proxies }
    }

    /// How many proxies of one's own stand before the service.
    pub fn proxies(&self) -> u8 {
        self.proxies
    }

    /// Counts a call.
    ///
    /// # Errors
    /// It is one too many; the caller may come again after this time.
    pub fn pass(&self, key: &Key) -> Result<(), Duration> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % FORGET == FORGET - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|wait| wait.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::new(settings::Limits { requests_per_second: 1, burst: 3, trusted_proxies: 0 })
    }

    #[test]
    fn each_caller_has_a_burst_of_their_own() {
        let limits = limits();
        for caller in ["ada", "bob"] {
            let key = Key::Subject(caller.into());
            assert!((0..3).all(|_| limits.pass(&key).is_ok()));
            let wait = limits.pass(&key).unwrap_err();
            assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        }
    }

    #[test]
    fn callers_of_long_ago_are_forgotten() {
        let limits =
            Limits::new(settings::Limits { requests_per_second: 100_000, burst: 1, trusted_proxies: 0 });
        for token in 0..20_000 {
            limits.pass(&Key::Token(token)).unwrap();
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
}
