//! Text from outside, made fit for a terminal and a log: one line, no control characters, not too long.

/// `text` on one line of at most `max_chars` characters: runs of white space and control characters become one blank, and what
/// is cut off is replaced by `…`.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || is_unprintable(c)).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= max_chars {
        return line;
    }
    let kept: String = line.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `text` with every character escaped that would move a cursor or hide something, for messages that may have several lines.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(c, '\n' | '\t') && is_unprintable(c) {
            printable.extend(c.escape_unicode())
        } else {
            printable.push(c)
        }
    }
    printable
}

/// Control characters, and those that turn the direction of what follows or hide in it.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a48_nothing_that_moves_a_cursor_gets_through() {
        let hostile = "rm\u{1b}[2J -rf\r\n\t/\u{202e}gpj.exe\u{0}  \"quoted\" \\n";
        assert_eq!(one_line(hostile, 100), "rm [2J -rf / gpj.exe \"quoted\" \\n");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(one_line("äöü äöü", 7), "äöü äöü");
        assert_eq!(one_line("äöü äöü", 5), "äöü…");
    }

    #[test]
    fn a48_a_message_of_several_lines_keeps_its_lines_and_nothing_else() {
        assert_eq!(printable("one\n  two\u{1b}[2J\u{202e}é\r"), "one\n  two\\u{1b}[2J\\u{202e}é\\u{d}");
    }
}
