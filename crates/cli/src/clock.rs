//! The time of day, in seconds since 1970 (UTC), as people write and read it.

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};

/// Seconds since 1970 (UTC).
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Reads `2026-11-23T09:00`, in the local time zone unless it names one (`Z`, `+09:00`).
pub(crate) fn parse(text: &str) -> Result<f64, String> {
    let local = || text.parse::<DateTime>()?.to_zoned(TimeZone::system()).map(|zoned| zoned.timestamp());
    let moment = text.parse::<Timestamp>().or_else(|_| local());
    moment
        .map(|moment| moment.as_second() as f64)
        .map_err(|_| "not a date and time; write one such as 2026-11-23T09:00, or 2026-11-23T09:00+09:00".to_owned())
}

/// As in `11-23 09:00`, in the local time zone.
pub(crate) fn short(seconds: f64) -> String {
    // A time that no calendar has is not one of ours.
    let moment = Timestamp::from_second(seconds as i64).unwrap_or_default();
    moment.to_zoned(TimeZone::system()).strftime("%m-%d %H:%M").to_string()
}

/// The day that a moment is of in the local time zone, from midnight to midnight.
pub(crate) fn day(seconds: f64) -> Range<f64> {
    day_in(TimeZone::system(), seconds)
}

fn day_in(zone: TimeZone, seconds: f64) -> Range<f64> {
    let moment = Timestamp::from_second(seconds as i64).unwrap_or_default().to_zoned(zone);
    let midnight = |day: Result<Zoned, jiff::Error>| {
        // Only the last day of all calendars has no end.
        day.and_then(|day| day.start_of_day()).map(|midnight| midnight.timestamp().as_second() as f64)
    };
    let end = midnight(moment.tomorrow()).unwrap_or(f64::INFINITY);
    midnight(Ok(moment)).unwrap_or(f64::NEG_INFINITY)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_the_time_zone() {
        let seoul = TimeZone::fixed(jiff::tz::offset(9));
        // Nine in the morning of the 23rd of November 2026 in Seoul is midnight in Greenwich.
        let midnight = 1_795_392_000.0;
        assert_eq!(day_in(TimeZone::UTC, midnight + 1.0), midnight..midnight + 86_400.0);
        assert_eq!(day_in(seoul, midnight + 1.0), midnight - 9.0 * 3600.0..midnight + 15.0 * 3600.0);
    }

    #[test]
    fn a_time_may_name_its_zone() {
        assert_eq!(parse("2026-11-23T09:00+09:00"), Ok(1_795_392_000.0));
        assert_eq!(parse("2026-11-23T00:00:00Z"), Ok(1_795_392_000.0));
        assert!(parse("2026-11-23T09:00").is_ok() && parse("2026-11-23").is_ok());
        for wrong in ["tomorrow", "2026-13-01T09:00", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
