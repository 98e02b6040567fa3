//! Tests the output of a picture for the evcxr kernel, captured from a child process because it goes to standard
//! output.
#![cfg(feature = "evcxr")]
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::process::Command;

use geolearn::{Picture, Raster};

fn picture() -> Picture {
    let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png").unwrap().to_rgb_image();
    Picture::grid("A chip", &["left"], &[vec![chip]]).unwrap()
}

#[test]
#[ignore = "the child process of the other test"]
fn shows_itself() {
    picture().evcxr_display();
}

#[test]
fn a_notebook_gets_the_picture_as_png() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shows_itself", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // The test runner may have written to the same line before.
    let (_, shown) = text.split_once("EVCXR_BEGIN_CONTENT image/png\n").unwrap();
    let (base64, _) = shown.split_once("\nEVCXR_END_CONTENT\n").unwrap();
    let png = decoded(base64);
    assert_eq!(png, picture().to_png().unwrap());
    assert_eq!(image::load_from_memory(&png).unwrap().to_rgb8(), picture().into_rgb_image());
}

/// Decodes Base64 (RFC 4648) with padding.
fn decoded(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = |c: &u8| alphabet.iter().position(|a| a == c).unwrap() as u32;
    let quarter = |four: &[u8]| {
        let kept: Vec<u32> = four.iter().filter(|c| **c != b'=').map(bits).collect();
        let all = kept.iter().enumerate().fold(0, |sum, (i, six)| sum | six << (18 - 6 * i));
        all.to_be_bytes()[1..kept.len()].to_vec()
    };
    assert_eq!(text.len() % 4, 0);
    text.as_bytes().chunks(4).flat_map(quarter).collect()
}
