//! A statement's text as it may be shown: one line, no comments, no values, no longer than a line
//! of a terminal. `pg_stat_statements` takes the values out of what is planned, but keeps those of
//! commands that are not (`SET x = '…'`, `COPY`), and comments can say anything.

/// Characters that are shown.
const SHOWN_MAX: usize = 100;

/// Digits in a row that could be a phone number; shorter ones are limits and types.
const DIGITS_MIN: usize = 6;

/// Masks a text. What is cut off in the middle of a value is a value to its end.
pub(super) fn shown(text: &str) -> String {
    let mut rest = text;
    let mut masked = String::with_capacity(SHOWN_MAX);
    while let Some(c) = rest.chars().next() {
        if let Some((length, shown_as)) = hidden(rest, masked.chars().next_back()) {
            rest = &rest[length..];
            masked.push_str(shown_as);
        } else {
            masked.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    let words: Vec<&str> = masked.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN_MAX {
        return line;
    }
    line.chars().take(SHOWN_MAX - 1).chain(['…']).collect()
}

/// How much of what begins a text must not be shown, and what stands for it.
fn hidden(text: &str, before: Option<char>) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    match bytes[0] {
        b'-' if text.starts_with("--") => Some((end(text, 2, "\n"), " ")),
        b'/' if text.starts_with("/*") => Some((end_of_comment(text), " ")),
        b'\'' => Some((end_of_quoted(text), "?")),
        b'"' => Some((end(text, 1, "\""), "\"?\"")),
        // Inside a name a dollar is a letter.
        b'$' if before.is_none_or(|c| !is_of_name(c)) => {
            let tag = text[1..].find('$').map(|at| &text[..at + 2])?;
            let is_tag = tag[1..tag.len() - 1].chars().all(is_of_name);
            let is_parameter = bytes.get(1).is_some_and(u8::is_ascii_digit);
            (is_tag && !is_parameter).then(|| (end(text, tag.len(), tag), "?"))
        }
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            (digits >= DIGITS_MIN).then_some((digits, "?"))
        }
        _ => None,
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where something ends that begins before `from`.
fn end(text: &str, from: usize, mark: &str) -> usize {
    text[from..].find(mark).map_or(text.len(), |found| from + found + mark.len())
}

/// Comments can stand in comments.
fn end_of_comment(text: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let rest = &text[at..];
        match (rest.find("/*"), rest.find("*/")) {
            (Some(open), Some(close)) if open < close => (at, depth) = (at + open + 2, depth + 1),
            (_, Some(close)) => (at, depth) = (at + close + 2, depth - 1),
            (_, None) => return text.len(),
        }
    }
    at
}

/// A doubled quote ends one value and begins the next, which is the same to us. Whether a backslash
/// takes a quote's meaning away depends on settings that are not known here: all is hidden then.
fn end_of_quoted(text: &str) -> usize {
    let at = end(text, 1, "'");
    if text[..at].ends_with("\\'") { text.len() } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_and_comments_go_and_the_statement_stays() {
        for (text, expected) in [
            ("SELECT  a\n  FROM t WHERE x = $1 LIMIT 10", "SELECT a FROM t WHERE x = $1 LIMIT 10"),
            ("EXECUTE x('+99912345678', 99912345678)", "EXECUTE x(?, ?)"),
            ("COPY t FROM 'it''s here' WITH x", "COPY t FROM ?? WITH x"),
            ("SELECT 'a\\', b, 'c'", "SELECT ?"),
            ("SELECT a$b$c, 'x $b$', \"it's\", 'y'", "SELECT a$b$c, ?, \"?\", ?"),
            ("SELECT $$a 'b'$$, $x$ $$ $x$, $2", "SELECT ?, ?, $2"),
            ("/* to Ana /* or */ Bo */ SELECT 1 -- Ana", "SELECT 1"),
            ("SELECT 'cut off", "SELECT ?"),
            ("SELECT /* cut off", "SELECT"),
            ("SELECT E'a\\nb' FROM intent_20260504", "SELECT E? FROM intent_?"),
            ("SELECT \u{1f600} + 12345", "SELECT \u{1f600} + 12345"),
            ("", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        let long = shown(&"word ".repeat(1_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (SHOWN_MAX, true));
    }

    proptest! {
        #[test]
        fn no_value_comes_through(
            before in "[a-z (),=$0-5]{0,20}",
            secret in "[a-zA-Z +0-9\\n]{1,30}",
            kind in 0_usize..6,
            after in "[a-z(), ]{0,20}",
        ) {
            let marked = format!("SECRET{secret}SECRET");
            let value = match kind {
                0 => format!("'{marked}'"),
                1 => format!("$tag${marked}$tag$"),
                2 => format!("/* {marked} */"),
                3 => format!("'{marked}"),
                4 => format!("-- {}\n", marked.replace('\n', " ")),
                _ => "99912345678".to_owned(),
            };
            let masked = shown(&format!("{before} {value} {after}"));
            prop_assert!(!masked.contains("SECRET"), "{masked}");
            prop_assert!(!masked.contains("99912345678"), "{masked}");
            prop_assert!(masked.chars().count() <= SHOWN_MAX);
        }
    }
}
