//! Kubernetes quantities.
//!
//! Input: a text. Output: a number. Must not know: what it is a quantity of.

/// A quantity in thousandths of its unit, rounded up; `None`: it is malformed, negative or larger than any there is.
pub fn thousandths(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let (times, parts) = scale(suffix)?;
    let parts = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?.checked_mul(parts)?;
    Some(digits.checked_mul(times)?.checked_mul(1000)?.div_ceil(parts))
}

/// A quantity of memory or storage in bytes, rounded up.
pub fn bytes(text: &str) -> Option<u64> {
    u64::try_from(thousandths(text)?.div_ceil(1000)).ok()
}

/// What a suffix multiplies by, and what it divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let decimal = |power: u32| Some((10_u128.checked_pow(power)?, 1));
    let binary = |power: u32| Some((1_u128.checked_shl(power)?, 1));
    match suffix {
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        exponent => decimal(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, thousandths};

    #[test]
    fn quantities_are_numbers() {
        let table = [
            ("128Mi", 134_217_728),
            ("2G", 2_000_000_000),
            ("77", 77),
            ("1.5Gi", 1_610_612_736),
            (".5k", 500),
            ("1Ti", 1_099_511_627_776),
            ("1e3", 1000),
            ("1E", 1_000_000_000_000_000_000),
            ("1500m", 2),
        ];
        for (text, number) in table {
            assert_eq!(bytes(text), Some(number), "{text}");
        }
        assert_eq!(thousandths("250m"), Some(250));
        for wrong in
            ["", "Mi", "1.2.3", "1 Gi", "-1", "1gi", "1e-3", "99999999999999999999999999999999Ei", "99E"]
        {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
