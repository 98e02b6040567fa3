//! Tests the detection of circles on small made-up modules.

use crate::graph::circles;
use crate::modules::modules;

/// Returns the files in each circle of a crate with one module `m` made of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let source = |file: &str| match file {
        "lib.rs" => Some("mod m; pub use m::Known;".to_string()),
        _ => files.iter().find(|(name, _)| file.strip_prefix("m/") == Some(name)).map(|(_, text)| text.to_string()),
    };
    let found = circles(&modules(&source));
    found.into_iter().map(|circle| circle.files.into_iter().collect()).collect()
}

#[test]
fn what_a_parent_defines_and_its_child_uses() {
    let child = ("a.rs", "use super::Above; pub fn f(_: Above) {}");
    let both = [("mod.rs", "mod a; pub struct Above; fn g() { a::f(Above) }"), child];
    assert_eq!(circles_of(&both), [["m/a.rs", "m/mod.rs"]]);
    let imported = [("mod.rs", "mod a; use a::f; pub struct Above; const F: fn(Above) = f;"), child];
    assert_eq!(circles_of(&imported), [["m/a.rs", "m/mod.rs"]]);
    assert!(circles_of(&[("mod.rs", "mod a; pub struct Above;"), child]).is_empty());
}

#[test]
fn what_a_parent_passes_on_is_its_definers() {
    let parent = ("mod.rs", "mod a; mod b; pub use a::{A}; pub(crate) use b::B as Other;");
    let lower = ("b.rs", "pub struct B;");
    assert!(circles_of(&[parent, ("a.rs", "use super::Other; pub struct A(Other);"), lower]).is_empty());
    let upper = ("a.rs", "use super::Other; pub struct A(Other);");
    assert_eq!(circles_of(&[parent, upper, ("b.rs", "pub struct B(super::A);")]), [["m/a.rs", "m/b.rs"]]);
    let by_crate = ("b.rs", "use crate::m::{A}; pub struct B(A);");
    assert_eq!(circles_of(&[parent, upper, by_crate]), [["m/a.rs", "m/b.rs"]]);
}

#[test]
fn what_a_parent_passes_on_and_calls_is_used() {
    let child = ("a.rs", "pub fn f() { super::g() }");
    assert_eq!(circles_of(&[("mod.rs", "mod a; pub use a::f; pub fn g() { f() }"), child]), [["m/a.rs", "m/mod.rs"]]);
    assert!(circles_of(&[("mod.rs", "mod a; pub use a::f; pub fn g() { x.f() }"), child]).is_empty());
}

#[test]
fn a_name_of_the_crate_is_followed() {
    let parent = ("mod.rs", "mod a; mod b; pub use a::Known;");
    let files =
        [parent, ("a.rs", "pub struct Known; fn f() { super::b::g() }"), ("b.rs", "use crate::Known; pub fn g() {}")];
    assert_eq!(circles_of(&files), [["m/a.rs", "m/b.rs"]]);
}

#[test]
fn a_module_that_is_imported_is_used_by_what_is_named_in_it() {
    let parent = ("mod.rs", "mod a; mod b;");
    let lower = ("b/mod.rs", "mod c; pub use c::C; pub struct B;");
    let back = ("b/c.rs", "use crate::m::a::A; pub struct C;");
    let upper = |used| format!("use super::b::{{self}}; pub struct A; fn f(_: b::{used}) {{}}");
    assert_eq!(circles_of(&[parent, ("a.rs", &upper("C")), lower, back]), [["m/a.rs", "m/b/c.rs"]]);
    assert!(circles_of(&[parent, ("a.rs", &upper("B")), lower, back]).is_empty());
}

#[test]
fn a_method_is_used_where_it_stands() {
    let parent = ("mod.rs", "mod a; mod b; mod c; pub use a::A;");
    let away = ("b.rs", "use super::A; impl A { pub fn f() {} pub fn g(self) {} }");
    let other = ("c.rs", "struct C; impl C { fn f() {} }");
    let of = |text| circles_of(&[parent, ("a.rs", text), away, other]);
    assert_eq!(of("pub struct A; fn h() { A::f() }"), [["m/a.rs", "m/b.rs"]]);
    assert_eq!(of("pub struct A; fn h(a: A) { a.g() }"), [["m/a.rs", "m/b.rs"]]);
    // There are two functions called f, and neither is named with its type.
    assert!(of("pub struct A; fn h(a: A) { a.f() }").is_empty());
}

#[test]
fn methods_of_generic_types_count_and_those_of_traits_do_not() {
    let parent = ("mod.rs", "mod a; mod b;");
    let upper = ("a.rs", "pub struct A<F>(F); fn h<F: Fn() -> u8>(a: A<F>) { a.g() }");
    let of = |text| circles_of(&[parent, upper, ("b.rs", text)]);
    let inherent = "use super::a::A; impl<F: Fn() -> u8> A<F> { pub fn g(&self) {} }";
    assert_eq!(of(inherent), [["m/a.rs", "m/b.rs"]]);
    assert!(of("use super::a::A; trait T { fn g(&self); } impl<F> T for A<F> { fn g(&self) {} }").is_empty());
}

#[test]
fn longer_circles_and_several() {
    let parent = ("mod.rs", "mod a; mod b; mod c; mod d; mod e; mod f;");
    let ring =
        [("a.rs", "use super::b::B;"), ("b.rs", "use super::c::C;"), ("c.rs", "use super::a::A; use super::d::D;")];
    let pair = [("d.rs", "use super::e::E;"), ("e.rs", "use super::d::D;"), ("f.rs", "use super::a::A;")];
    let found = circles_of(&[&[parent][..], &ring, &pair].concat());
    assert_eq!(found, [vec!["m/a.rs", "m/b.rs", "m/c.rs"], vec!["m/d.rs", "m/e.rs"]]);
}

#[test]
fn tests_comments_and_modules_within_a_file_are_no_users() {
    let tests = "#[cfg(test)] mod tests; #[cfg(test)] mod more { use super::{Above}; } #[cfg(test)] use super::b::{B};";
    let inner = "mod inner { use super::A; } /* super::b::B */ fn f() { \"super::b::B\"; } pub struct A;";
    let parent = ("mod.rs", "mod a; mod b;");
    assert!(circles_of(&[parent, ("a.rs", &format!("{tests} {inner}")), ("b.rs", "use super::a::A;")]).is_empty());
}

#[test]
#[should_panic(expected = "hides what is used")]
fn all_names_of_a_module_are_refused() {
    circles_of(&[("mod.rs", "mod a;"), ("a.rs", "use super::*;")]);
}
