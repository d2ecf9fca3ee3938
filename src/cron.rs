//! The schedule expressions of EventBridge: `cron(…)` with six fields, and `rate(…)`.
//!
//! Source: "Cron expressions and rate expressions" of the EventBridge user guide.

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// A lower-case fragment.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    words: &'static [&'static str],
    /// The number that the first word stands for.
    first: u32,
    extra: &'static str,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "minutes", low: 0, high: 59, words: &[], first: 0, extra: "" },
    Field { name: "hours", low: 0, high: 23, words: &[], first: 0, extra: "" },
    Field { name: "day of month", low: 1, high: 31, words: &[], first: 1, extra: "?LW" },
    Field { name: "month", low: 1, high: 12, words: &MONTHS, first: 1, extra: "" },
    Field { name: "day of week", low: 1, high: 7, words: &DAYS, first: 1, extra: "?L#" },
    Field { name: "year", low: 1970, high: 2199, words: &[], first: 0, extra: "" },
];

const EXAMPLE: &str = "cron(0 3 * * ? *)";

/// Checks an expression.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn check(text: &str) -> Result<(), Mistake> {
    let inside = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    if let Some(fields) = inside("cron(") {
        return check_cron(fields);
    }
    if let Some(rate) = inside("rate(") {
        return check_rate(rate);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    Err(Mistake {
        message: format!("`{text}` is not a schedule"),
        help: match fields.as_slice() {
            [minutes, hours, day, month, weekday] => six_fields([minutes, hours, day, month, weekday])
                .map_or_else(|| format!("{SIX}; write it like `{EXAMPLE}`"), |cron| format!("{SIX}: `{cron}`")),
            [_, _, _, _, _, _] => format!("write it like `{EXAMPLE}`"),
            _ => format!("write it like `{EXAMPLE}` or `rate(1 hour)`"),
        },
    })
}

const SIX: &str = "AWS writes six fields, the last for the year";

/// What crontab's five fields are with AWS, where that is plain. Crontab counts the days of the week from 0, AWS from 1, so they are
/// named.
fn six_fields(fields: [&str; 5]) -> Option<String> {
    let [minutes, hours, day, month, weekday] = fields;
    let (day, weekday) = match (day, weekday) {
        (day, "*") => (day, "?".to_owned()),
        ("*", weekday) => {
            let name = |piece: &str| match piece.parse::<usize>() {
                Ok(number) => DAYS.get(number % 7).map(|name| (*name).to_owned()),
                Err(_) => Some(piece.to_owned()),
            };
            let lists = weekday.split(',').map(|list| {
                let range: Option<Vec<String>> = list.split('-').map(name).collect();
                range.map(|range| range.join("-"))
            });
            ("?", lists.collect::<Option<Vec<_>>>()?.join(","))
        }
        _ => return None,
    };
    let cron = format!("{minutes} {hours} {day} {month} {weekday} *");
    check_cron(&cron).is_ok().then(|| format!("cron({cron})"))
}

/// Every how many minutes a `rate(…)` starts something; none for any other schedule.
pub fn rate_minutes(text: &str) -> Option<u32> {
    let (number, unit) = text.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let minutes = match unit.trim_end_matches('s') {
        "minute" => 1,
        "hour" => 60,
        "day" => 1_440,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(minutes)
}

/// How many minutes lie between two starts of a right `cron(…)` that are as close as they get within an hour; 60 when there is one.
pub fn closest_minutes(text: &str) -> Option<u32> {
    let fields = text.strip_prefix("cron(")?.strip_suffix(')')?;
    let (minutes, rest) = fields.trim_start().split_once(' ')?;
    let hour = rest.split_whitespace().next()?;
    let mut starts = std::collections::BTreeSet::new();
    for part in minutes.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, step.parse().ok()));
        let number = |text: &str| text.parse::<usize>().ok();
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (0, 59),
            None => (number(range)?, if step.is_some() { 59 } else { number(range)? }),
        };
        starts.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    let next = starts.iter().skip(1);
    let gaps = starts.iter().zip(next).map(|(one, next)| next - one);
    // The first start of the next hour follows the last of this one, unless there is one hour only.
    let around = if hour.parse::<u32>().is_ok() { 60 } else { starts.first()? + 60 - starts.last()? };
    u32::try_from(gaps.chain([around]).min()?).ok()
}

fn check_rate(text: &str) -> Result<(), Mistake> {
    let mistake = |help: &str| Mistake { message: format!("`rate({text})` is not a rate"), help: help.into() };
    let mut words = text.split(' ');
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(mistake("write it like `rate(1 hour)` or `rate(15 minutes)`"));
    };
    let number: u32 = number.parse().map_err(|_| mistake("the number is a positive whole number"))?;
    match (number, unit) {
        (0, _) => Err(mistake("the number is a positive whole number")),
        (1, "minute" | "hour" | "day") | (2.., "minutes" | "hours" | "days") => Ok(()),
        (1, "minutes" | "hours" | "days") => Err(mistake("one is written in the singular: `rate(1 hour)`")),
        (_, "minute" | "hour" | "day") => Err(mistake("more than one is written in the plural: `rate(2 hours)`")),
        _ => Err(mistake("the unit is `minutes`, `hours` or `days`")),
    }
}

fn check_cron(text: &str) -> Result<(), Mistake> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [_, _, day, _, weekday, _] = fields.as_slice() else {
        let help = match <[&str; 5]>::try_from(fields.as_slice()).ok().and_then(six_fields) {
            Some(cron) => format!("{SIX}: `{cron}`"),
            None => "the six fields are minutes, hours, day of month, month, day of week and year".into(),
        };
        return Err(Mistake {
            message: format!("a cron expression of AWS has six fields, found {}", fields.len()),
            help,
        });
    };
    if (*day == "?") == (*weekday == "?") {
        return Err(Mistake {
            message: "exactly one of day of month and day of week is `?`".into(),
            help: format!("write `?` for the one that does not matter, like `{EXAMPLE}`"),
        });
    }
    for (text, field) in fields.iter().zip(&FIELDS) {
        check_field(text, field)?;
    }
    Ok(())
}

fn check_field(text: &str, field: &Field) -> Result<(), Mistake> {
    let mistake = || Mistake {
        message: format!("`{text}` is not a value for {}", field.name),
        help: format!("{} is `*`, {} to {}, or a list, range or step of them", field.name, field.low, field.high),
    };
    if text == "*" || (text == "?" && field.extra.contains('?')) {
        return Ok(());
    }
    if field.extra.contains('L') && text == "L" {
        return Ok(());
    }
    if field.extra.contains('W')
        && let Some(day) = text.strip_suffix('W')
    {
        return if day.is_empty() || number(day, field).is_none() { Err(mistake()) } else { Ok(()) };
    }
    if field.extra.contains('#')
        && let Some((day, nth)) = text.split_once('#')
    {
        let nth = nth.parse::<u32>().is_ok_and(|nth| (1..=5).contains(&nth));
        return if nth && number(day, field).is_some() { Ok(()) } else { Err(mistake()) };
    }
    if field.name == "day of week"
        && let Some(day) = text.strip_suffix('L')
        && number(day, field).is_some()
    {
        return Ok(());
    }
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0 && step <= field.high)) {
            return Err(mistake());
        }
        let fits = match range.split_once('-') {
            Some((from, to)) => match (number(from, field), number(to, field)) {
                (Some(from), Some(to)) => from <= to,
                _ => false,
            },
            None => range == "*" && step.is_some() || number(range, field).is_some(),
        };
        if !fits {
            return Err(mistake());
        }
    }
    Ok(())
}

fn number(text: &str, field: &Field) -> Option<u32> {
    if let Some(at) = field.words.iter().position(|word| text.eq_ignore_ascii_case(word)) {
        return u32::try_from(at).ok().map(|at| at + field.first);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| (field.low..=field.high).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_documents_is_accepted() {
        for text in [
            "cron(0 10 * * ? *)",
            "cron(15 12 * * ? *)",
            "cron(0 18 ? * MON-FRI *)",
            "cron(0 8 1 * ? *)",
            "cron(0/15 * * * ? *)",
            "cron(0/10 * ? * MON-FRI *)",
            "cron(0/5 8-17 ? * MON-FRI *)",
            "cron(0 9 ? * 2#1 *)",
            "cron(0 0 L * ? *)",
            "cron(0 0 3W * ? *)",
            "cron(0 0 ? * 6L *)",
            "cron(30 6,18 ? jan,JUL 1 2026-2030)",
            "rate(1 minute)",
            "rate(5 minutes)",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn five_fields_of_crontab_are_said_in_six() {
        for (five, six) in [
            ("0 3 * * *", "cron(0 3 * * ? *)"),
            ("cron(0 3 * * *)", "cron(0 3 * * ? *)"),
            ("*/15 8-17 * * 1-5", "cron(*/15 8-17 ? * MON-FRI *)"),
            ("0 0 * * 0,6", "cron(0 0 ? * SUN,SAT *)"),
            ("0 0 1 * *", "cron(0 0 1 * ? *)"),
        ] {
            let help = check(five).unwrap_err().help;
            assert!(help.contains(&format!("`{six}`")), "{five}: {help}");
            assert_eq!(check(six), Ok(()), "{six}");
        }
        assert!(!check("0 0 1 * 1").unwrap_err().help.contains("`cron(0 0 1"), "day and day of week are two schedules");
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for text in [
            "cron(0 3 * * *)",
            "0 3 * * *",
            "cron(0 3 * * * *)",
            "cron(0 3 ? * ? *)",
            "cron(60 3 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 3 32 * ? *)",
            "cron(0 3 ? * MONDAY *)",
            "cron(0 3 ? * 0 *)",
            "cron(5-1 3 * * ? *)",
            "cron(*/0 3 * * ? *)",
            "rate(1 minutes)",
            "rate(2 hour)",
            "rate(0 minutes)",
            "rate(soon)",
            "every day",
            "",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_closest_starts_are_found() {
        for (minutes, closest) in
            [("0", 60), ("*", 1), ("*/5", 5), ("0/7", 4), ("0,58", 2), ("10-30/10,32", 2), ("0-4", 1), ("55", 60)]
        {
            assert_eq!(closest_minutes(&format!("cron({minutes} * * * ? *)")), Some(closest), "{minutes}");
        }
        assert_eq!(closest_minutes("cron(0,58 3 * * ? *)"), Some(58));
        assert_eq!(closest_minutes("rate(1 hour)"), None);
    }
}
