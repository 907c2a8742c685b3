//! What templates give, and what is refused.

use expect_test::{Expect, expect};
use jiff::SignedDuration;
use jiff::civil::{date, time};

use super::*;
use crate::text::default_rules;

const NAME: &str = "Praia Dental";

fn revision(template: Option<&str>) -> Revision {
    let mut rules = default_rules();
    if let Some(template) = template {
        rules[0].template = template.to_owned();
    }
    Revision {
        practice_id: 7,
        revision: 1,
        timezone: TimeZone::get("America/Sao_Paulo").unwrap(),
        timezone_name: "America/Sao_Paulo".into(),
        send_from: time(8, 0, 0, 0),
        send_until: time(20, 0, 0, 0),
        rules,
    }
}

fn member<'a>(patient_name: &'a str, instructions: &'a str, starts_at: &str) -> Member<'a> {
    Member { patient_name, instructions, starts_at: starts_at.parse().unwrap() }
}

fn check(template: Option<&str>, rule_id: i16, members: &[Member<'_>], expected: Expect) {
    let texts = Texts::new(8);
    let text = texts.render(NAME, &revision(template), rule_id, date(2016, 5, 9), members);
    // A sentence a line.
    let body = text.body.replace(". ", ".\n").replace(": ", ":\n").replace("; ", ";\n");
    expected.assert_eq(&format!("{body} [{}]\n", text.segments));
}

#[test]
fn the_default_texts() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    let bo = member("Bo Souza", "Bring the X-rays.", "2016-05-10T13:00:00Z");
    check(
        None,
        1,
        &[ana],
        expect![[r#"
        Praia Dental:
        Ana, your appointment is tomorrow at 09:30.
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
    check(
        None,
        1,
        &[ana, bo],
        expect![[r#"
        Praia Dental:
        Your appointments:
        Ana tomorrow at 09:30;
        Bo tomorrow at 10:00 (Bring the X-rays.).
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
    let today = member("", "Come fasting.", "2016-05-09T20:00:00Z");
    check(
        None,
        2,
        &[today],
        expect![[r#"
        Praia Dental:
        See you today at 17:00.
        Come fasting. [1]
    "#]],
    );
    let far = member("Ana", "", "2016-05-20T12:30:00Z");
    check(
        None,
        1,
        &[far],
        expect![[r#"
        Praia Dental:
        Ana, your appointment is on Friday 20 May at 09:30.
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
}

#[test]
fn a_practices_own_template() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    check(
        Some("{{ patient|upper }} {{ appointments[0].date }} {{ appointments[0].time }} <&>"),
        1,
        &[ana],
        expect![[r#"
            ANA Tuesday 10 May 09:30 <&> [1]
        "#]],
    );
}

#[test]
fn a_template_that_fails_gives_way() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    for template in ["{{ nothing }}", "{% for a in", "{{ appointments[3].time }}"] {
        let texts = Texts::new(8);
        let text = texts.render(NAME, &revision(Some(template)), 1, date(2016, 5, 9), &[ana]);
        assert!(text.body.contains("tomorrow at 09:30"), "{}", text.body);
    }
}

/// So many appointments, ten minutes apart, and what each text has to say of them: their times.
fn family<'a>(name: &'a str, instructions: &'a str, many: usize) -> (Vec<Member<'a>>, Vec<String>) {
    let first = member(name, instructions, "2016-09-28T12:00:00Z");
    let members: Vec<Member<'a>> = (0..many)
        .map(|n| {
            let later = SignedDuration::from_mins(10 * i64::try_from(n).unwrap());
            Member { starts_at: first.starts_at + later, ..first }
        })
        .collect();
    let zone = revision(None).timezone;
    let time = |m: &Member<'_>| m.starts_at.to_zoned(zone.clone()).strftime("%H:%M").to_string();
    let times = members.iter().map(time).collect();
    (members, times)
}

/// Whatever is in it, each of its appointments is told of, and how to end it where that is said.
#[test]
fn the_largest_family_fits() {
    let texts = Texts::new(8);
    let long = "{% for a in appointments %}{{ a.time }} {{ a.instructions }}".to_owned()
        + &"y".repeat(300)
        + "{% endfor %}";
    let practices = [NAME.to_owned(), "x".repeat(120), "\u{1f600}".repeat(120)];
    for (practice, named, told) in practices.iter().flat_map(|practice| {
        let names = [String::new(), "x".repeat(80), "\u{1f600}".repeat(80)];
        names.into_iter().flat_map(move |name| {
            ["x".repeat(300), "\u{1f600}".repeat(300)]
                .map(|instructions| (practice, name.clone(), instructions))
        })
    }) {
        let (members, times) = family(&named, &told, MEMBERS_MAX);
        for (template, rule_id) in [(None, 1), (None, 2), (Some(long.as_str()), 1)] {
            let text =
                texts.render(practice, &revision(template), rule_id, date(2016, 9, 1), &members);
            assert!(units(&text.body) <= TEXT_UNITS_MAX, "{}", text.body);
            for time in &times {
                assert!(text.body.contains(time), "{time}: {}", text.body);
            }
            assert!(!text.body.ends_with("..."), "it is cut: {}", text.body);
            if rule_id == 1 {
                assert!(text.body.ends_with("STOP to end."), "{}", text.body);
            }
        }
    }
}

/// Names and times come before what to bring.
#[test]
fn what_is_too_long_leaves_out_instructions() {
    let long = "x".repeat(300);
    let (members, _) = family("Ana Souza", &long, 5);
    check(
        None,
        1,
        &members,
        expect![[r#"
            Praia Dental:
            Your appointments:
            Ana on Wednesday 28 September at 09:00;
            Ana on Wednesday 28 September at 09:10;
            Ana on Wednesday 28 September at 09:20;
            Ana on Wednesday 28 September at 09:30;
            Ana on Wednesday 28 September at 09:40.
            Reply YES to confirm, NO to cancel, STOP to end. [2]
        "#]],
    );
    // Four have room for them.
    let texts = Texts::new(8);
    let text = texts.render(NAME, &revision(None), 1, date(2016, 5, 9), &members[..4]);
    assert_eq!(text.body.matches(&long).count(), 4, "{}", text.body);
}

#[test]
fn templates_that_are_refused() {
    for rule in default_rules() {
        assert_eq!(validate(&rule.template), Ok(()));
        assert!(rule.template.len() <= 1_000, "{}", rule.template.len());
    }
    let said = [
        "{{ practice",
        "{{ doctor }}",
        "{{ appointments[7].time }}",
        "{% for i in range(9) %}x{% endfor %}",
        "{% if false %}x{% endif %}",
        "{% include 'x' %}",
        "{{ practice|nonsense }}",
        "{% for a in appointments %}{% for b in practice %}{% for c in practice %}\
         {% for d in practice %}{% for e in practice %}{% endfor %}{% endfor %}{% endfor %}\
         {% endfor %}{% endfor %}x",
        // More than a hundred characters, once for each of them.
        "{% set x = practice ~ practice ~ practice ~ practice ~ practice ~ practice ~ practice %}\
         {% for c in x %}{{ x }}{% endfor %}",
    ]
    .map(|template| validate(template).unwrap_err())
    .join("\n");
    expect![[r#"
        syntax error: unexpected end of input, expected end of variable block (line 1)
        there is no doctor; a template can use practice, patient, when, appointments
        uses something that isn't there (line 1)
        there is no range; a template can use practice, patient, when, appointments
        gives an empty text
        syntax error: unknown statement include (line 1)
        unknown filter: filter nonsense is unknown (line 1)
        does too much work (line 1)
        gives a text of more than 1600 characters"#]]
    .assert_eq(&said);
}
