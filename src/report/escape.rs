//! Text that comes from files (part names, paths, test ids) on its way into HTML and SVG.

/// `text` with the five characters that mean something in HTML and SVG written as references; characters that XML
/// does not allow at all are left out.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_part_name_cannot_become_a_script() {
        assert_eq!(escaped("<script>\"a\" & 'b'\u{0}"), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
    }
}
