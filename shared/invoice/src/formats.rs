//! Figures and dates as people of each language write them.

use crate::Language;
use jiff::civil::Date;
use portico_domain::Money;
use rust_decimal::Decimal;

/// Between groups of three digits where a comma is the decimal sign and a point would be read as one.
const THIN_SPACE: char = '\u{202F}';
/// Decimals of a value that is not rounded yet. What is cut off is shown as an ellipsis.
const EXACT_DECIMALS_MAX: u32 = 8;

impl Language {
    /// `1,234.50`: with at least `decimals` decimals, and no digit less than the value has.
    pub(crate) fn decimal(self, value: Decimal, decimals: u32) -> String {
        let decimals = usize::try_from(value.normalize().scale().max(decimals)).unwrap_or_default();
        let digits = format!("{:.decimals$}", value.abs());
        let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), None), |(w, f)| (w, Some(f)));
        let (group, point) = match self {
            Self::English => (',', '.'),
            Self::German | Self::Spanish => ('.', ','),
            Self::French => (THIN_SPACE, ','),
        };
        let mut written = String::from(if value.is_sign_negative() && !value.is_zero() { "−" } else { "" });
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && whole.len().saturating_sub(position).is_multiple_of(3) {
                written.push(group);
            }
            written.push(digit);
        }
        if let Some(fraction) = fraction {
            written.push(point);
            written.push_str(fraction);
        }
        written
    }

    /// An amount without its currency, with the currency's decimals.
    pub(crate) fn money(self, amount: Money) -> String {
        self.decimal(amount.to_decimal(), amount.currency().decimals())
    }

    /// A value before it is rounded: at most eight decimals, with an ellipsis if it has more.
    pub(crate) fn exact(self, value: Decimal, decimals: u32) -> String {
        let shown = value.trunc_with_scale(EXACT_DECIMALS_MAX);
        let more = if shown == value { "" } else { "…" };
        format!("{}{more}", self.decimal(shown, decimals))
    }

    /// `19%`, with a space before the sign where the language has one.
    pub(crate) fn percent(self, percent: Decimal) -> String {
        let space = match self {
            Self::English => "",
            Self::German | Self::French | Self::Spanish => "\u{202F}",
        };
        format!("{}{space}%", self.decimal(percent.normalize(), 0))
    }

    /// `22 November 2026`.
    pub(crate) fn date(self, day: Date) -> String {
        let (of, month, year) = (self.day_of_month(day), self.month(day.month()), day.year());
        match self {
            Self::English | Self::German | Self::French => format!("{of} {month} {year}"),
            Self::Spanish => format!("{of} de {month} de {year}"),
        }
    }

    /// The days from `first` to `last`, as short as they can be said.
    pub(crate) fn days(self, first: Date, last: Date) -> String {
        if first == last {
            self.date(first)
        } else if (first.year(), first.month()) == (last.year(), last.month()) {
            format!("{}–{}", self.day_of_month(first), self.date(last))
        } else {
            format!("{} – {}", self.date(first), self.date(last))
        }
    }

    /// `November 2026`.
    pub(crate) fn month_of(self, day: Date) -> String {
        let (month, year) = (self.month(day.month()), day.year());
        match self {
            Self::English | Self::German | Self::French => format!("{month} {year}"),
            Self::Spanish => format!("{month} de {year}"),
        }
    }

    fn day_of_month(self, day: Date) -> String {
        match self {
            Self::German => format!("{}.", day.day()),
            Self::French if day.day() == 1 => "1er".to_owned(),
            Self::English | Self::French | Self::Spanish => day.day().to_string(),
        }
    }

    fn month(self, number: i8) -> &'static str {
        let names = match self {
            Self::English => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Self::German => [
                "Januar",
                "Februar",
                "März",
                "April",
                "Mai",
                "Juni",
                "Juli",
                "August",
                "September",
                "Oktober",
                "November",
                "Dezember",
            ],
            Self::French => [
                "janvier",
                "février",
                "mars",
                "avril",
                "mai",
                "juin",
                "juillet",
                "août",
                "septembre",
                "octobre",
                "novembre",
                "décembre",
            ],
            Self::Spanish => [
                "enero",
                "febrero",
                "marzo",
                "abril",
                "mayo",
                "junio",
                "julio",
                "agosto",
                "septiembre",
                "octubre",
                "noviembre",
                "diciembre",
            ],
        };
        usize::try_from(number)
            .ok()
            .and_then(|number| names.get(number.saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        let text =
            |language: Language, value: &str, decimals| language.decimal(value.parse().unwrap(), decimals);
        assert_eq!(text(Language::English, "1234567.5", 2), "1,234,567.50");
        assert_eq!(text(Language::German, "1234567.5", 2), "1.234.567,50");
        assert_eq!(text(Language::French, "1234567.5", 2), "1\u{202F}234\u{202F}567,50");
        assert_eq!(text(Language::Spanish, "-1000", 2), "−1.000,00");
        assert_eq!(text(Language::English, "999", 0), "999");
        assert_eq!(text(Language::English, "120", 3), "120.000");
        assert_eq!(text(Language::English, "87.125", 2), "87.125");
        assert_eq!(text(Language::English, "-0.00", 2), "0.00");
    }

    #[test]
    fn what_is_not_rounded_says_that_it_goes_on() {
        let third = Decimal::ONE.checked_div(3.into()).unwrap();
        assert_eq!(Language::English.exact(third, 2), "0.33333333…");
        assert_eq!(Language::German.exact("13.758".parse().unwrap(), 2), "13,758");
    }

    #[test]
    fn percentages_and_days_follow_the_language() {
        let percent = |language: Language| language.percent("5.50".parse().unwrap());
        assert_eq!(percent(Language::English), "5.5%");
        assert_eq!(percent(Language::German), "5,5\u{202F}%");
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (first, last) = (day("2026-11-01"), day("2026-11-30"));
        assert_eq!(Language::English.days(first, last), "1–30 November 2026");
        assert_eq!(Language::German.days(first, last), "1.–30. November 2026");
        assert_eq!(Language::French.days(first, last), "1er–30 novembre 2026");
        assert_eq!(Language::Spanish.days(first, last), "1–30 de noviembre de 2026");
        assert_eq!(Language::English.days(first, day("2026-12-01")), "1 November 2026 – 1 December 2026");
        assert_eq!(Language::German.days(last, last), "30. November 2026");
        for language in Language::ALL {
            for month in 1..=12 {
                assert!(!language.month(month).is_empty());
            }
        }
    }
}
