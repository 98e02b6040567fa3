//! `model_metrics.html`: what a model is and how it was trained, for people, in one self-contained file.

use std::fmt::{Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem}table{border-collapse:collapse}\
th,td{text-align:left;padding:.25rem 1.2rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top}\
td.number{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;height:auto}.note{color:#666}";

/// An HTML page under construction. Every text is escaped; nothing in it is downloaded or executed.
pub(crate) struct Report {
    html: String,
}

impl Report {
    pub fn new(title: &str, subtitle: &str) -> Self {
        let title = escaped(title);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p class=\"note\">{}</p>\n",
            escaped(subtitle)
        );
        Self { html }
    }

    pub fn heading(&mut self, text: &str) {
        self.push(format_args!("<h2>{}</h2>\n", escaped(text)));
    }

    pub fn paragraph(&mut self, text: &str) {
        self.push(format_args!("<p>{}</p>\n", escaped(text)));
    }

    /// Adds names and values.
    pub fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        self.push(format_args!("<table>\n"));
        for (name, value) in facts {
            self.push(format_args!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), escaped(&value)));
        }
        self.push(format_args!("</table>\n"));
    }

    /// Adds a table of numbers below a row of names; the first column labels the rows.
    pub fn numbers(&mut self, columns: &[&str], rows: &[(String, Vec<String>)]) {
        self.push(format_args!("<table>\n<tr>"));
        for column in columns {
            self.push(format_args!("<th scope=\"col\">{}</th>", escaped(column)));
        }
        self.push(format_args!("</tr>\n"));
        for (name, numbers) in rows {
            self.push(format_args!("<tr><th scope=\"row\">{}</th>", escaped(name)));
            for number in numbers {
                self.push(format_args!("<td class=\"number\">{}</td>", escaped(number)));
            }
            self.push(format_args!("</tr>\n"));
        }
        self.push(format_args!("</table>\n"));
    }

    /// Embeds a PNG in the page.
    pub fn picture(&mut self, png: &[u8], what: &str) {
        let data = STANDARD.encode(png);
        self.push(format_args!("<img src=\"data:image/png;base64,{data}\" alt=\"{}\">\n", escaped(what)));
    }

    /// Returns the complete page.
    pub fn finish(mut self) -> String {
        self.html.push_str("</body>\n</html>\n");
        self.html
    }

    fn push(&mut self, text: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.html, "{text}");
    }
}

fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => clean.push_str("&amp;"),
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            '"' => clean.push_str("&quot;"),
            '\'' => clean.push_str("&#39;"),
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_become_markup() {
        let evil = "<script>alert(\"1\" & '2')</script>";
        let mut report = Report::new(evil, evil);
        report.heading(evil);
        report.paragraph(evil);
        report.facts([(evil, evil.to_owned())]);
        report.numbers(&[evil], &[(evil.to_owned(), vec![evil.to_owned()])]);
        report.picture(b"", evil);
        let page = report.finish();
        assert!(!page.contains("<script") && !page.contains("alert(\""), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)").count(), 11);
    }

    #[test]
    fn a_picture_lies_within_the_page() {
        let mut report = Report::new("m", "");
        report.picture(b"\x89PNG\r\n\x1a\n", "losses");
        assert!(report.finish().contains("<img src=\"data:image/png;base64,iVBORw0KGgo=\" alt=\"losses\">"));
    }
}
