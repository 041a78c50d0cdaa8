//! Working hours as people write them: `Mon-Fri 18:00-24:00; Sat,Sun 00:00-24:00`.

use std::str::FromStr;

use jiff::civil::{Time, Weekday};

use crate::billing::{WINDOWS_MAX, Window};

/// Times of the week that are outside of working hours: days, a blank, from when to when; several with semicolons
/// between them. Days are `Mon` to `Sun`, alone, with commas, or from one to the other. `24:00` is the end of the day;
/// what goes on beyond midnight is two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// A text that does not say times of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "times are written as in \"Mon-Fri 18:00-24:00; Sat,Sun 00:00-24:00\", at most {WINDOWS_MAX}, each within a day"
)]
pub struct WindowsError;

/// Days as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];
/// The end of a day.
const MIDNIGHT: &str = "24:00";

impl FromStr for Windows {
    type Err = WindowsError;

    fn from_str(text: &str) -> Result<Self, WindowsError> {
        let windows: Vec<Window> = text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(window)
            .collect::<Result<_, _>>()?;
        if windows.len() > WINDOWS_MAX { Err(WindowsError) } else { Ok(Self(windows)) }
    }
}

impl From<Windows> for Vec<Window> {
    fn from(windows: Windows) -> Self {
        windows.0
    }
}

fn window(text: &str) -> Result<Window, WindowsError> {
    let (on, hours) = text.rsplit_once(char::is_whitespace).ok_or(WindowsError)?;
    let (from, until) = hours.split_once('-').ok_or(WindowsError)?;
    let days: Vec<Weekday> = on.split(',').map(days).collect::<Result<Vec<_>, _>>()?.concat();
    let until = if until == MIDNIGHT { None } else { Some(time(until)?) };
    Window::new(&days, time(from)?, until).map_err(|_| WindowsError)
}

/// A day, or all from one to the other; a week goes on after its end.
fn days(text: &str) -> Result<Vec<Weekday>, WindowsError> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    Ok((0..=first.until(last)).map(|days| first.wrapping_add(days)).collect())
}

fn day(text: &str) -> Result<Weekday, WindowsError> {
    let known = DAYS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
    known.map(|(_, day)| day).ok_or(WindowsError)
}

/// `18:00`: hours and minutes and nothing else.
fn time(text: &str) -> Result<Time, WindowsError> {
    let number = |digits: &str| {
        let plain =
            !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse::<i8>().map_err(|_| WindowsError) } else { Err(WindowsError) }
    };
    let (hour, minute) = text.split_once(':').ok_or(WindowsError)?;
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| WindowsError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(text: &str) -> Vec<Window> {
        text.parse::<Windows>().unwrap().into()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let [monday, saturday, sunday] = [Weekday::Monday, Weekday::Saturday, Weekday::Sunday];
        let at = |hour| Time::new(hour, 0, 0, 0).unwrap();
        let expected = [
            Window::new(&[saturday, sunday, monday], at(0), None).unwrap(),
            Window::new(&[monday], at(6), Some(at(8))).unwrap(),
        ];
        assert_eq!(windows("Sat-Mon 00:00-24:00; mon 6:00-08:00"), expected);
        assert_eq!(windows("Sat,Sun, Mon  00:00-24:00 ;Mon 06:00-08:00;"), expected);
        assert_eq!(windows(""), []);
        assert_eq!(windows("Mon-Fri 18:00-24:00"), windows("Mon,Tue,Wed,Thu,Fri 18:00-24:00"));
    }

    #[test]
    fn what_says_no_time_is_refused() {
        let many = "Mon 00:00-01:00;".repeat(WINDOWS_MAX + 1);
        for text in [
            "nights",
            "Mon",
            "18:00-24:00",
            "Mon 18-24",
            "Mon 18:00",
            "Mon 24:00-25:00",
            "Mon 22:00-06:00",
            "Mon 18:60-19:00",
            "Mon +8:00-09:00",
            "Moon 18:00-24:00",
            "Mon- 18:00-24:00",
            "Mon 18:00-18:00",
            &many,
        ] {
            assert_eq!(text.parse::<Windows>(), Err(WindowsError), "{text}");
        }
    }
}
