//! Times of filters, as people and programs write them.
//!
//! Input: a text. Output: the period that it names, or why it names none. Must not know: what is filtered.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The first moment of what a text names, and the first after it, in milliseconds since 1970 UTC. A date is that day
/// in UTC; a time with its offset (RFC 3339) is that moment. A `+` that was not encoded arrives in a query as a space
/// and is read as `+`.
///
/// # Errors
/// What is wrong with the text.
pub fn read(text: &str) -> Result<(i64, i64), String> {
    let text = text.trim();
    let restored = match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(':') => format!("{time}+{offset}"),
        _ => text.to_owned(),
    };
    if let Ok(moment) = restored.parse::<Timestamp>() {
        return Ok((moment.as_millisecond(), moment.as_millisecond()));
    }
    let is_date = text.len() == "2026-11-23".len();
    match (text.parse::<Date>(), text.parse::<DateTime>()) {
        (Ok(date), _) if is_date => {
            let start = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond());
            let after = date.checked_add(1.day()).ok();
            let day = start(date).zip(after.and_then(start));
            day.ok_or_else(|| format!("{text:?} is out of range"))
        }
        (_, Ok(_)) => {
            Err(format!("{text:?} has no offset: end it with Z, or as in 2026-11-23T08:00:00+01:00"))
        }
        _ => Err(format!("{text:?} must be a date, 2026-11-23, or RFC 3339, 2026-11-23T08:00:00Z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_with_an_offset_are_read_and_others_say_what_is_missing() {
        let moment = 1_795_420_800_000;
        for text in [
            "2026-11-23T08:00:00Z",
            "2026-11-23T09:00:00+01:00",
            "2026-11-23T09:00:00 01:00",
            "2026-11-23T08:00:00.000Z",
        ] {
            assert_eq!(read(text), Ok((moment, moment)), "{text}");
        }
        let day = 86_400_000;
        assert_eq!(read("2026-11-23"), Ok((moment - day / 3, moment + day * 2 / 3)));
        for (text, reason) in [
            ("2026-11-23T08:00:00", "no offset"),
            ("23.11.2026", "must be a date"),
            ("2026-13-01", "must be a date"),
            ("", "must be a date"),
        ] {
            assert!(read(text).unwrap_err().contains(reason), "{text}: {:?}", read(text));
        }
    }
}
