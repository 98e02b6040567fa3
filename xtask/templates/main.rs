//! The program of `cargo xtask dependent`: what a crate that did `cargo add geolearn` may write.

fn main() {
    println!("{:?}", geolearn::Device::Auto.resolve());
    // The task looks for this line.
    println!("dependent: works");
}
