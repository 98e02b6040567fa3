//! Replaces the generated part of a page.

use std::path::Path;

use crate::trouble::{Result, Trouble};

const BEGIN: &str = "<!-- gpu-check: begin -->";
const END: &str = "<!-- gpu-check: end -->";

/// Returns the page with `text` between its markers.
pub fn replaced(page: &str, text: &str) -> Result<String> {
    let missing = |marker| Trouble::new(format!("missing line {marker:?}"));
    let (before, rest) = page.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", text.trim()))
}

pub fn advice(page: &Path) -> String {
    format!("add the lines {BEGIN:?} and {END:?} where the results belong in {}", page.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("# Page\n\n{BEGIN}\nold\n{END}\n\nrest {END}\n");
        let new = replaced(&page, "new\n").unwrap();
        assert_eq!(new, format!("# Page\n\n{BEGIN}\nnew\n{END}\n\nrest {END}\n"));
        assert_eq!(replaced(&new, "new").unwrap(), new);
    }

    #[test]
    fn a_missing_marker_is_named() {
        assert!(replaced("# Page\n", "new").unwrap_err().to_string().contains("begin"));
        assert!(replaced(BEGIN, "new").unwrap_err().to_string().contains("end"));
    }
}
