use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use proptest::prelude::*;
use schema::rollout::Policy;
use schema::time::Length;

use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}:00.000Z").parse().expect("a moment to the minute")
}

fn window(cron: &str, length: &str, tz: &str) -> Window {
    let length = Length::try_from(length.to_owned()).expect("a length");
    Window { cron: cron.into(), length, tz: tz.into() }
}

fn policy(windows: Vec<Window>, freezes: Vec<Window>) -> Policy {
    let policy = serde_json::json!({
        "name": "p", "prepare": "no", "waves": [{ "regions": "all", "share": 10_000, "soak": "0s" }],
        "on_failure": "rollback", "spread": "0s", "quarantine": { "after": 3, "at_most": { "percent": 500, "number": 1 } },
        "reverts": "at_once", "newer": "supersede", "live_within": "90s",
    });
    Policy { windows, freezes, ..serde_json::from_value(policy).expect("a policy") }
}

/// When it opens again; the same moment where it is open.
fn opens(policy: &Policy, now: &str) -> Option<String> {
    let shown = |at: Timestamp| at.to_string().replace(":00.000Z", "");
    match standing(policy, at(now)) {
        Standing::Open => Some(shown(at(now))),
        Standing::Closed { opens, why } => {
            assert!(!why.is_empty());
            opens.map(shown)
        }
    }
}

#[test]
fn windows_open_by_the_clock_of_their_zone() {
    let nine_to_five = "0 0 9 * * Mon-Fri";
    let table = [
        // In winter Berlin is an hour ahead, in summer two.
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-01-07T07:59", "2026-01-07T08:00"),
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-01-07T08:00", "2026-01-07T08:00"),
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-01-07T15:59", "2026-01-07T15:59"),
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-01-07T16:00", "2026-01-08T08:00"),
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-07-08T06:59", "2026-07-08T07:00"),
        // From Friday over the night in which summer begins, to Monday.
        ((nine_to_five, "8h", "Europe/Berlin"), "2026-03-27T16:00", "2026-03-30T07:00"),
        // Over midnight, and over midnight into another month.
        (("0 0 22 * * *", "4h", "UTC"), "2026-01-08T01:59", "2026-01-08T01:59"),
        (("0 0 22 * * *", "4h", "UTC"), "2026-02-01T02:00", "2026-02-01T22:00"),
        // Far away, and on a day that is rare.
        (("0 0 0 29 Feb ?", "1h", "UTC"), "2026-01-01T00:00", "2028-02-29T00:00"),
        // The window of last year is still open, though this year has none.
        (("0 0 0 20 Dec * 2026", "30d", "UTC"), "2027-01-05T00:00", "2027-01-05T00:00"),
        (("@daily", "1h", "Asia/Kolkata"), "2026-01-01T12:00", "2026-01-01T18:30"),
    ];
    for ((cron, length, tz), now, expected) in table {
        let policy = policy(vec![window(cron, length, tz)], Vec::new());
        assert_eq!(opens(&policy, now).as_deref(), Some(expected), "{cron} {length} {tz} at {now}");
    }
}

#[test]
fn a_time_that_the_clock_skips_is_the_moment_it_jumps() {
    // On 29 March 2026 clocks in Berlin go from 02:00 to 03:00, which is 01:00 in UTC.
    let night = policy(vec![window("0 30 2 * * *", "1h", "Europe/Berlin")], Vec::new());
    assert_eq!(opens(&night, "2026-03-28T23:00").as_deref(), Some("2026-03-29T01:00"));
    assert_eq!(opens(&night, "2026-03-29T01:59").as_deref(), Some("2026-03-29T01:59"));
    assert_eq!(opens(&night, "2026-03-29T02:00").as_deref(), Some("2026-03-30T00:30"));
    // Four hours from 00:30 are over at 05:30 on the clock that day.
    let long = policy(vec![window("0 30 0 * * *", "4h", "Europe/Berlin")], Vec::new());
    assert_eq!(opens(&long, "2026-03-29T03:29").as_deref(), Some("2026-03-29T03:29"));
    assert_eq!(opens(&long, "2026-03-29T03:30").as_deref(), Some("2026-03-29T22:30"));
}

#[test]
fn a_time_that_the_clock_shows_twice_is_a_begin_both_times() {
    // On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00, which is 01:00 in UTC.
    let night = policy(vec![window("0 30 2 * * *", "15m", "Europe/Berlin")], Vec::new());
    let table = [
        ("2026-10-25T00:00", "2026-10-25T00:30"),
        ("2026-10-25T00:44", "2026-10-25T00:44"),
        // Both on the clock's first way through this hour, and after it.
        ("2026-10-25T00:45", "2026-10-25T01:30"),
        ("2026-10-25T01:15", "2026-10-25T01:30"),
        ("2026-10-25T01:44", "2026-10-25T01:44"),
        ("2026-10-25T01:45", "2026-10-26T01:30"),
    ];
    for (now, expected) in table {
        assert_eq!(opens(&night, now).as_deref(), Some(expected), "at {now}");
    }
    let twenty_hours = policy(vec![window("0 0 12 * * *", "20h", "Europe/Berlin")], Vec::new());
    assert_eq!(opens(&twenty_hours, "2026-10-25T05:59").as_deref(), Some("2026-10-25T05:59"));
    assert_eq!(opens(&twenty_hours, "2026-10-25T06:00").as_deref(), Some("2026-10-25T11:00"));
}

#[test]
fn freezes_win_over_windows() {
    let daily = || vec![window("0 0 9 * * *", "8h", "UTC")];
    let christmas = window("0 0 12 20 Dec * 2026", "14d", "UTC");
    let frozen = policy(daily(), vec![christmas.clone(), window("0 0 9 * * Sun", "1h", "UTC")]);
    assert_eq!(opens(&frozen, "2026-12-20T10:00").as_deref(), Some("2026-12-20T10:00"));
    assert_eq!(opens(&frozen, "2026-12-20T12:00").as_deref(), Some("2027-01-03T12:00"));
    // A Sunday: the window begins in one freeze and the next in another.
    assert_eq!(opens(&frozen, "2026-12-13T09:15").as_deref(), Some("2026-12-13T10:00"));
    let only_frozen = policy(Vec::new(), vec![christmas]);
    assert_eq!(opens(&only_frozen, "2026-12-20T11:59").as_deref(), Some("2026-12-20T11:59"));
    assert_eq!(opens(&only_frozen, "2026-12-24T11:59").as_deref(), Some("2027-01-03T12:00"));
    let Standing::Closed { why, .. } = standing(&only_frozen, at("2026-12-24T11:59")) else { panic!("it is frozen") };
    assert_eq!(why, "the freeze `0 0 12 20 Dec * 2026` for 14days (UTC) is on");
}

#[test]
fn without_windows_it_is_open_and_without_an_end_it_is_not_told() {
    assert_eq!(standing(&policy(Vec::new(), Vec::new()), at("2026-01-01T00:00")), Standing::Open);
    let never_again = policy(vec![window("0 0 9 * * * 2020", "8h", "UTC")], Vec::new());
    assert_eq!(opens(&never_again, "2026-01-01T00:00"), None);
    let always_frozen = policy(Vec::new(), vec![window("* * * * * *", "1s", "UTC")]);
    assert_eq!(opens(&always_frozen, "2026-01-01T00:00"), None);
}

#[test]
fn what_cannot_be_read_holds_back() {
    for unreadable in [window("0 9 * * *", "8h", "UTC"), window("0 0 9 * * *", "8h", "Mars/Olympus")] {
        let closed = policy(vec![unreadable.clone()], Vec::new());
        assert_eq!(opens(&closed, "2026-01-01T10:00"), None);
        let frozen = policy(Vec::new(), vec![unreadable]);
        let Standing::Closed { opens: None, why } = standing(&frozen, at("2026-01-01T10:00")) else { panic!("frozen") };
        assert!(why.starts_with("this version cannot read the freeze `"), "{why}");
    }
    // Another window beside it counts.
    let two = policy(vec![window("?", "8h", "UTC"), window("0 0 9 * * *", "8h", "UTC")], Vec::new());
    assert_eq!(opens(&two, "2026-01-01T10:00").as_deref(), Some("2026-01-01T10:00"));
}

#[test]
fn mistakes_in_a_window_are_told_with_what_to_write() {
    let table = [
        (("0 9 * * Mon-Fri", "8h", "UTC"), "has 5 fields: it takes six, seconds first"),
        (("", "8h", "UTC"), "has 0 fields"),
        (("@fortnightly", "8h", "UTC"), "has 1 fields"),
        (("0 0 9 * * 1-5", "8h", "UTC"), "use names, like Mon-Fri"),
        (("0 0 9 * * */2", "8h", "UTC"), "use names, like Mon-Fri"),
        // The fields that the parser would see are not those that stand there.
        (("0 0 1 -5 * * 1", "8h", "UTC"), "`-5` is not valid for the day of the month"),
        (("0 0 25 * * Mon", "8h", "UTC"), "`25` is not valid for the hour"),
        (("0 0 9 L * Mon", "8h", "UTC"), "`L` is not valid for the day of the month"),
        (("0 0 9 * * Mo-Fr", "8h", "UTC"), "`Mo-Fr` is not valid for the weekday"),
        (("0 0 0 31 Feb *", "8h", "UTC"), "names no day that there ever is"),
        (("0 0 9 * * *", "8h", "Europe/Berln"), "`Europe/Berln` is not a time zone; did you mean `Europe/Berlin`?"),
        (("0 0 9 * * *", "8h", "europe/berlin"), "did you mean `Europe/Berlin`?"),
        (("0 0 9 * * *", "8h", "CEST+1"), "use an IANA name, like Europe/Berlin or UTC"),
        (("0 0 9 * * *", "0s", "UTC"), "a second at least"),
        (("0 0 9 * * *", "800d", "UTC"), "a year at most"),
    ];
    for ((cron, length, tz), expected) in table {
        let refused = check(&window(cron, length, tz)).expect_err(cron).to_string();
        assert!(refused.contains(expected), "{refused}\nwanted {expected}");
    }
    for good in ["@hourly", "*/10 0,30 9-17 1,15 Jan-Mar Mon,Wed 2026-2030", "0 0 9 ? * ?"] {
        assert_eq!(check(&window(good, "1h", "UTC")), Ok(()));
    }
}

/// Whether the window holds `now`, found by looking at every minute of the time before it.
fn holds_by_the_clock(window: &Window, now: Timestamp) -> bool {
    let tz: Tz = window.tz.parse().expect("a zone");
    let schedule: cron::Schedule = window.cron.parse().expect("an expression");
    let minutes = window.length.0.as_secs() as i64 / 60;
    (0..minutes).any(|back| {
        let moment = chrono::DateTime::from_timestamp_millis(now.unix_millis() - back * 60_000).expect("a moment");
        let shown = tz.from_utc_datetime(&moment.naive_utc());
        assert!(shown.second() == 0 && shown.year() > 2000);
        schedule.includes(shown)
    })
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
}

proptest! {
    #[test]
    fn open_is_what_the_clock_says(
        (minute, hour, tz) in (0..60u32, prop::sample::select(vec!["*", "2", "1-3", "0,12"]), zones()),
        (hours, now) in (1..30u64, 1_760_000_000 / 60..1_800_000_000i64 / 60),
    ) {
        // Hours that a clock skips are told apart above; here no window begins within one.
        prop_assume!(tz == "UTC" || tz == "Asia/Kolkata" || hour == "0,12");
        let window = window(&format!("0 {minute} {hour} * * *"), &format!("{hours}h"), tz);
        let now = Timestamp::from_unix_millis(now * 60_000);
        let is_open = standing(&policy(vec![window.clone()], Vec::new()), now) == Standing::Open;
        prop_assert_eq!(is_open, holds_by_the_clock(&window, now));
    }

    #[test]
    fn a_window_opens_when_it_says_so_and_not_before(
        (minute, hour, day) in ("[*0]", prop::sample::select(vec!["*", "2", "23", "1-3"]), prop::sample::select(vec!["*", "Sun"])),
        (tz, length, frozen, now) in (zones(), 1..5_000u64, 1..5_000u64, 1_700_000_000_000..1_800_000_000_000i64),
    ) {
        let open = window(&format!("0 {minute} {hour} * * {day}"), &format!("{length}m"), tz);
        let freeze = window("0 30 1 * * Mon", &format!("{frozen}m"), "Europe/Berlin");
        let (policy, now) = (policy(vec![open], vec![freeze]), Timestamp::from_unix_millis(now));
        if let Standing::Closed { opens: Some(opens), .. } = standing(&policy, now) {
            prop_assert!(opens > now);
            prop_assert_eq!(standing(&policy, opens), Standing::Open);
            let before = Timestamp::from_unix_millis(opens.unix_millis() - 1);
            prop_assert!(standing(&policy, before) != Standing::Open);
        }
    }

    #[test]
    fn nothing_that_anybody_writes_ends_in_a_panic(
        cron in prop_oneof![".{0,40}", "[-0-9*/,?LW#A-Za-z ]{0,30}", "([0-9*/,?-]{1,4} ){5,6}[A-Za-z0-9*?,-]{1,7}"],
        tz in prop_oneof![".{0,20}", zones().prop_map(str::to_owned)],
        length in 0..u64::MAX,
        now in any::<i64>(),
    ) {
        let window = Window { cron: cron.into(), length: Length(Duration::from_millis(length)), tz: tz.into() };
        let checked = check(&window);
        let now = Timestamp::from_unix_millis(now);
        let closed = standing(&policy(vec![window.clone()], Vec::new()), now);
        let frozen = standing(&policy(Vec::new(), vec![window]), now);
        prop_assert!(checked.is_ok() || closed != Standing::Open || frozen != Standing::Open);
    }
}
