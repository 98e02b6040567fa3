//! Strict JPEG decoding: a truncated file, or detectable damage, is an error instead of a picture that ends in gray.
//!
//! One decoder, `zune-jpeg`, is used both for JPEG files and for JPEG in TIFF.

mod colors;
mod decode;
mod fault;
mod frame;
mod header;
mod mask;
mod picture;
mod scan;
mod stream;

pub(super) use colors::Colors;
pub(super) use decode::decode;
pub(super) use fault::Fault;
pub(super) use picture::Jpeg;
pub(super) use stream::Stream;
