//! Splits a source file into tokens, without comments and literals.

/// Splits `text` into names, numbers, `::` and single punctuation characters; skips comments, strings, characters and
/// lifetimes.
pub fn tokens(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_length(rest);
        let length = match first {
            _ if hidden > 0 => hidden,
            _ if is_of_name(first) => rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if hidden == 0 && !first.is_whitespace() {
            found.push(rest[..length].to_string());
        }
        rest = &rest[length..];
    }
    found
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the length in bytes of the comment or literal at the start of `text`; 0 if there is none.
fn hidden_length(text: &str) -> usize {
    let string = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - string.len();
    match text.as_bytes() {
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [b'/', b'*', ..] => block_comment_length(text),
        [b'\'', ..] => quote_length(text),
        _ if prefix <= 1 && string.starts_with('"') => prefix + string_length(string),
        _ if prefix <= 1 && string.starts_with('r') => raw_string_length(string).map_or(0, |length| prefix + length),
        _ => 0,
    }
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match &text.as_bytes()[at..] {
            [] => return text.len(),
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
}

/// Returns the length of a character literal, or of a lifetime, which has no closing quote.
fn quote_length(text: &str) -> usize {
    let inner = &text[1..];
    let first = inner.chars().next().map_or(0, char::len_utf8);
    match inner.strip_prefix('\\') {
        // The escaped character may itself be a quote.
        Some(escaped) => 3 + escaped[1..].find('\'').map_or(escaped.len() - 1, |end| end + 1),
        None if inner[first..].starts_with('\'') => first + 2,
        None => 1 + inner.find(|c| !is_of_name(c)).unwrap_or(inner.len()),
    }
}

fn string_length(text: &str) -> usize {
    let mut at = 1;
    loop {
        match text.as_bytes().get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// Returns the length of `r#"..."#` with any number of `#`; `None` if it is a name that starts with r.
fn raw_string_length(text: &str) -> Option<usize> {
    let signs = text[1..].len() - text[1..].trim_start_matches('#').len();
    let inner = text[1 + signs..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(signs));
    Some(inner.find(&end).map_or(text.len(), |at| 2 + signs + at + end.len()))
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "a::b // c\n/* d /* e */ f */ g(\"h \\\" i\", r#\"j\" k\"#, b\"l\", 'm', '\\'', '\\u{6e}', &'n str, br, c\"o\")";
    assert_eq!(tokens(text).join(" "), "a :: b g ( , , , , , , & str , br , )");
}

#[test]
fn names_that_begin_like_literals_are_names() {
    assert_eq!(tokens("bc r b r#type rb::c").join(" "), "bc r b r # type rb :: c");
}
