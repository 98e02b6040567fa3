//! JPEG, strictly: a truncated file, or damage that the code shows, is an error, not a picture that ends in gray.
//!
//! One decoder, `zune-jpeg`, serves files of their own and JPEG in TIFF.

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
