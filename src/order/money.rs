//! Money, exact: decimals as the shop wrote them, and fractions made of them.
//!
//! Pure. No amount passes through a float, and no arithmetic here rounds or wraps: what does not fit is
//! `None`, and whoever asked sets the line aside instead of granting a wrong number.

use rust_decimal::Decimal;

/// Reads a plain decimal, `10`, `-5.00` or `0.333`; `None` for anything else, and for more digits than can be
/// kept exactly.
#[must_use]
pub fn parse(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) { Decimal::from_str_exact(text).ok() } else { None }
}

/// The sum, or `None` where it cannot be kept exactly.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, plus)
}

/// `left + right`, or `None` where a digit would be lost.
pub(crate) fn plus(left: Decimal, right: Decimal) -> Option<Decimal> {
    let (left, right) = (left.normalize(), right.normalize());
    let sum = left.checked_add(right)?;
    // A sum that does not fit is rounded to fewer decimals than its parts have; that is not exact.
    (sum.scale() >= left.scale().max(right.scale())).then_some(sum)
}

/// Keeps a decimal in JSON as its text.
pub(crate) mod as_text {
    use rust_decimal::Decimal;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a plain decimal")))
    }
}

/// Keeps a decimal that may be absent in JSON as its text, or `null`.
pub(crate) mod as_optional_text {
    use rust_decimal::Decimal;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        amount: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => serializer.collect_str(amount),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.map(|text| {
            super::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a plain decimal")))
        })
        .transpose()
    }
}

/// An exact fraction, in lowest terms; its denominator is above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    numerator: i128,
    denominator: i128,
}

impl Ratio {
    pub(crate) const ZERO: Self = Self::whole(0);
    pub(crate) const ONE: Self = Self::whole(1);

    pub(crate) const fn whole(number: i128) -> Self {
        Self { numerator: number, denominator: 1 }
    }

    /// `numerator ÷ denominator`, or `None` if that is a division by zero or does not fit.
    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let shared = gcd(numerator, denominator)?;
        let sign = denominator.signum();
        Some(Self {
            numerator: (numerator / shared).checked_mul(sign)?,
            denominator: (denominator / shared).checked_mul(sign)?,
        })
    }

    pub(crate) fn of(amount: Decimal) -> Option<Self> {
        Self::new(amount.mantissa(), 10_i128.checked_pow(amount.scale())?)
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let shared = gcd(self.denominator, other.denominator)?;
        let (left, right) = (other.denominator / shared, self.denominator / shared);
        Self::new(
            self.numerator.checked_mul(left)?.checked_add(other.numerator.checked_mul(right)?)?,
            self.denominator.checked_mul(left)?,
        )
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        // Reduced crosswise first: the product is then in lowest terms and as small as it can be.
        let (left, right) =
            (Self::new(self.numerator, other.denominator)?, Self::new(other.numerator, self.denominator)?);
        Some(Self {
            numerator: left.numerator.checked_mul(right.numerator)?,
            denominator: left.denominator.checked_mul(right.denominator)?,
        })
    }

    /// `self ÷ other`, or `None` if `other` is zero or it does not fit.
    pub(crate) fn over(self, other: Self) -> Option<Self> {
        self.times(Self::new(other.denominator, other.numerator)?)
    }

    /// The nearest fraction that is neither below zero nor above one.
    pub(crate) fn within_one(self) -> Self {
        if self.numerator <= 0 {
            Self::ZERO
        } else if self.numerator >= self.denominator {
            Self::ONE
        } else {
            self
        }
    }

    pub(crate) fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }
}

/// The greatest number that divides both; 1 if both are zero, `None` if it does not fit.
fn gcd(left: i128, right: i128) -> Option<i128> {
    let (mut left, mut right) = (left.unsigned_abs(), right.unsigned_abs());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    i128::try_from(left.max(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: i128, denominator: i128) -> Ratio {
        Ratio::new(numerator, denominator).unwrap()
    }

    #[test]
    fn only_plain_decimals_are_money() {
        for good in ["0", "10.00", "-5.00", "1500", "0.29999999999999999", "007"] {
            assert!(parse(good).is_some(), "{good:?} was refused");
        }
        for bad in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            "1e3",
            "1,50",
            "1_000",
            " 1",
            "NaN",
            "inf",
            "0x1",
            "٣",
            "--1",
            "123456789012345678901234567890",
            "0.00000000000000000000000000001",
        ] {
            assert!(parse(bad).is_none(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_sum_that_cannot_be_exact_is_none() {
        let large = parse("7922816251426433759354395033").unwrap();
        assert_eq!(plus(large, parse("0.25").unwrap()), None);
        assert_eq!(sum([parse("0.10").unwrap(), parse("0.2").unwrap()]), parse("0.3"));
        assert_eq!(sum([Decimal::MAX, Decimal::MAX]), None);
    }

    #[test]
    fn fractions_are_exact() {
        let third = ratio(1, 3);
        assert_eq!(third.plus(third).unwrap().plus(third), Some(Ratio::ONE));
        assert_eq!(third.times(ratio(3, 7)), Some(ratio(1, 7)));
        assert_eq!(third.over(ratio(-2, 3)), Some(ratio(-1, 2)));
        assert_eq!(third.over(Ratio::ZERO), None);
        assert_eq!(ratio(-1, 2).floor(), -1);
        assert_eq!(ratio(7, 2).within_one(), Ratio::ONE);
        assert_eq!(ratio(-7, 2).within_one(), Ratio::ZERO);
        assert_eq!(Ratio::of(parse("-2.50").unwrap()), Some(ratio(-5, 2)));
    }

    #[test]
    fn what_does_not_fit_is_none_and_never_wrong() {
        let huge = Ratio::whole(i128::MAX);
        assert_eq!(huge.times(huge), None);
        assert_eq!(huge.plus(Ratio::ONE), None);
        assert_eq!(ratio(i128::MIN, 3).times(ratio(5, 7)), None);
        assert_eq!(Ratio::new(i128::MIN, -1), None);
    }
}
