//! The program of `cargo xtask dependent`, as in a crate that ran `cargo add geolearn`.

use geolearn::{CycleGan, DatasetType, Device, FitOptions, PrepareData};

fn main() -> geolearn::Result<()> {
    let chips = std::env::var_os("GEOLEARN_CHIPS").expect("the folder of chips");
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).batch_size(64).prepare()?;
    let small = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4);
    let mut model = small.device(Device::Auto).build()?;
    println!("{}", model.device());
    model.fit(FitOptions::new(1))?;
    // xtask looks for this line.
    println!("dependent: works");
    Ok(())
}
